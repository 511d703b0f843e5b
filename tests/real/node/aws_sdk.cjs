// Makes one call with the AWS SDK for JavaScript 3: {client, command, input} as JSON on stdin, the output as JSON on stdout,
// or {error: {class, name, status, attempts, message}}. The endpoint and the credentials are in the environment.
const { readFileSync } = require("node:fs");

const libraries = {
  entitlement: [require("@aws-sdk/client-marketplace-entitlement-service"), "MarketplaceEntitlementServiceClient"],
  metering: [require("@aws-sdk/client-marketplace-metering"), "MarketplaceMeteringClient"],
  sqs: [require("@aws-sdk/client-sqs"), "SQSClient"],
};

async function call({ client, command, input }) {
  const [library, name] = libraries[client];
  try {
    return await new library[name]({}).send(new library[`${command}Command`](input));
  } catch (error) {
    const { httpStatusCode: status, attempts } = error.$metadata ?? {};
    return { error: { class: error.constructor.name, name: error.name, status, attempts, message: error.message } };
  }
}

call(JSON.parse(readFileSync(0))).then((output) => console.log(JSON.stringify(output)));
