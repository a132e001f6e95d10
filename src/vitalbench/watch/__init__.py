"""Who is told how a run goes: a progress file, TensorBoard, trackers, a budget; and the view that reads what they leave."""
