"""Everything around the plots: header, state, head map, events, toolbar, replay bar."""
