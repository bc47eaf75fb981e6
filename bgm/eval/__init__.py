"""Score mattes: cases, protocols, curves and reports."""
