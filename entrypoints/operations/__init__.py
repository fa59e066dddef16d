"""What operators ask every process: is it alive, is it ready, how is it doing."""
