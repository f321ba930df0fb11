"""Stands in for the types that functions-framework brings along."""
