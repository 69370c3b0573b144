/// Why the demo cannot go on, and what to do about it.
struct DemoError: Error {
  let message: String
}
