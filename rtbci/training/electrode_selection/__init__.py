"""Learning which few electrodes are enough, beside the baselines."""
