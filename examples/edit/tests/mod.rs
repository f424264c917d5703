mod command_line;
mod small_model;
