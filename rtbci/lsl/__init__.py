"""All that touches the network: inlets, outlets, clocks, discovery, the recorder."""
