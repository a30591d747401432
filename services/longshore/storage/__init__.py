"""The control plane's SQL storage: two engines behind one interface, the migrations, the event log and the row readers."""
