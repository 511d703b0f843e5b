"""`make bench`: measures Foyer's landing against a bare Flask view in one run. Linux only: it reads /proc."""
