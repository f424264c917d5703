mod command_line;
mod gallery;
