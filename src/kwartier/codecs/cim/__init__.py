"""What the CIM documents share: their parts as a layout, and its two forms, XML and JSON."""
