mod files;
mod measured;
