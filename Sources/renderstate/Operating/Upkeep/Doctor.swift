internal import ArgumentParser
internal import JSON
internal import RenderStore
internal import Sidecar

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Examine the database and what is around it, and say what to do.",
    discussion: """
      Looks at versions, the filesystem, permissions, the write-ahead log, the schema, every page \
      and index (SQLite's integrity_check), the log from its start, which has to lead to the \
      renders as they stand, renders that are stuck and leases that are orphaned. It changes \
      nothing, and sidecars go on meanwhile; of a million renders it takes about half a minute. \
      A backup can be examined like any database.

      Each finding is ok, a note, or a problem. Ends with code 1 if there is a problem.

      Progress goes to stderr, on a terminal. With --json: an object for each finding, with the \
      members check, level, message and advice, what to do, or null.
      """
  )

  @Flag(help: "Leave out what takes long: indexes (so it is quick_check), and the log.")
  var quick = false

  @OptionGroup var database: ExistingDatabase
  @OptionGroup var output: OutputOptions

  func run() throws {
    let work = StoppableWork()
    let output = output.makeOutput()
    let progress = WorkProgress()
    let result = Promise<Examination>()
    let ending = work.run {
      try database.read { reader in
        result.put(
          Examination(
            of: reader,
            isQuick: quick,
            at: SystemClock().now(),
            times: output.presentation.times,
            progress: progress.show
          )
        )
      }
    }
    progress.settle()
    switch ending {
    case .done: break
    case .failed(let error): throw ExitCode.failure(error)
    case .stopped(let signal): throw ExitCode(128 + signal)
    }
    let examination = result.wait()
    if output.isJSON {
      try output.print(json: examination.findings) { $0.finding.write(to: &$1, check: $0.check) }
    } else {
      try output.print(examination.lines(output.presentation))
    }
    if examination.problems > 0 { throw ExitCode.failure }
  }
}
