"""The servers of libraries, with Canopy's bounds around them: Airflow's and MLflow's."""
