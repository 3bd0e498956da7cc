"""When things are done: one file a timetable, one call of `pipeline` a task."""
