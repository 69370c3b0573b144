/// Why a command cannot go on, and what to do about it.
struct CommandError: Error {
  let message: String
}
