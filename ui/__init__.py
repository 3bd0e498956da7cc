"""From a prediction to a person: the Streamlit pages."""
