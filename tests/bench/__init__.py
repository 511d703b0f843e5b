"""`make bench`: Foyer's landing beside a bare Flask view, measured in one run. Linux only: it reads /proc."""
