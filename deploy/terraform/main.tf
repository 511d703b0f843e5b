# Deploys production.yaml, so that there is one truth about what Foyer runs on. The image has to be pushed before.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "name" {
  description = "The stack's name."
  type        = string
  default     = "foyer"
}

variable "parameters" {
  description = "The parameters of production.yaml by name: DomainName, Image, ProductCode and so on."
  type        = map(string)
}

resource "aws_cloudformation_stack" "foyer" {
  name          = var.name
  template_body = file("${path.module}/../production.yaml")
  parameters    = merge({ QueueName = "${var.name}-events" }, var.parameters)
  capabilities  = ["CAPABILITY_IAM"]
  on_failure    = "ROLLBACK"

  timeouts {
    create = "60m"
    update = "60m"
  }
}

output "outputs" {
  description = "The stack's outputs: FulfillmentUrl, DnsRecord, DoctorCommand, LogsUrl and so on."
  value       = aws_cloudformation_stack.foyer.outputs
}
