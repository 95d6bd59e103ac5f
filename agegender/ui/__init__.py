"""What the pages share. Only here and in the pages themselves is Streamlit imported."""
