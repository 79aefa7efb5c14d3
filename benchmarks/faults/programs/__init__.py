"""Healthy programs of many families, made by code and exported by Paddle."""
