"""Whole commands against the servers that stand for Google: real clients, real Spark, real MLflow."""
