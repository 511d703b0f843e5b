"""What BatchMeterUsage bills: dimensions, licenses, the form of a request, its rules, and the ledger."""
