"""The documentation's site: built, and served beside dbt's and the audits' pages."""
