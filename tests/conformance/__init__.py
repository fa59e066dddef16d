"""The wire contracts, case by case, against the running product. Names of tests carry the ids of the cases."""
