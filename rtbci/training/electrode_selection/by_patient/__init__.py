"""A tagger on few derivations, on patients that neither fit nor selection has seen, beside fixed and ranked sets."""
