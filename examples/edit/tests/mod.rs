mod command_line;
