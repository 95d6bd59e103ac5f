"""Code shared by the pages. Only this package and the pages themselves import Streamlit."""
