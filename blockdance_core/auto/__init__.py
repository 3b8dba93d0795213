"""The planned, forecasting method: which evaluations to compute and how to forecast the others, from measurements."""
