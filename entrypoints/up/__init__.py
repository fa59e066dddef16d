"""`tidemark up`: a light process that runs everything on one machine, with the code of production as children."""
