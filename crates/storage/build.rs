//! Has the migrations embedded anew when a file is added; the macro by itself sees changed files only.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
