"""Tests of the report, the plots and the short forms for notebooks."""
