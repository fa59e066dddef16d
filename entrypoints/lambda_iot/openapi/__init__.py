"""This contract as an OpenAPI 3.1 document, by hand, a file for each topic like the routes: GET /openapi.json."""
