"""Answer the Open Inference Protocol over REST."""
