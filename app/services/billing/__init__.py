"""Billing: hours of usage are frozen, sent to BatchMeterUsage, and settled by its answer.

An hour's way: metering.accept → freeze → journal → send → settle → alerts. What AWS answers decides its state:

    open ─▶ frozen ─▶ sent ─▶ billed       Success; or DuplicateRecord after a call of ours whose answer was never read
              ▲         ├──▶ conflict     DuplicateRecord otherwise: something else has metered the hour
              └─────────┤                 throttled, unprocessed, not subscribed yet, refused for the seller's set-up
                        ├──▶ refused      an error that names this record alone
                        └──▶ expired      AWS takes the hour no more
"""
