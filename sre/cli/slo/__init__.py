"""`sre slo ...`: service level objectives from OpenSLO documents, on their own or beside the platform."""
