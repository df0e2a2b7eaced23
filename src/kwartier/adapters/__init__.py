"""The world, one file each: what kwartier reads and writes."""
