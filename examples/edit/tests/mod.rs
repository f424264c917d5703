mod command_line;
mod gallery;
mod small_model;
