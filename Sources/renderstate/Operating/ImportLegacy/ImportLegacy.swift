internal import ArgumentParser
internal import JSON
internal import RenderModel
internal import RenderStore
internal import Sidecar

struct ImportLegacy: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import-legacy",
    abstract: "Take over the renders of an application's own table.",
    discussion: """
      Reads the table of another SQLite database, in which the status of videos was a column, and \
      writes nothing there. A row is taken over by the events that its render would have had: \
      generating_video is rendering where there is a renderId, else queued; completed and failed are \
      themselves, but completed without a video is not taken; whatever else is in the column stands \
      for no render. The times are those of now; the actor in the log is cli: and your user name.

      It may be run again, and goes on where it was ended: a row that is there already is not taken \
      twice, one that has gone on since is followed, and a render that anybody but this command has \
      changed or pruned is kept as it is, whatever the table says. A row that is refused is named \
      with the reason, and the others are taken over.

      An option that is empty, like --progress '', says that there is no such column. Attempts that \
      are under way have the timeouts given here, and no others. The database is made by \
      `renderstate serve`, not by this.

      With --json: a line for each row that was kept or refused, with id, outcome and reason; then \
      one with the counts. Ends with code 2 if a row was refused.
      """
  )

  @Option(
    help: ArgumentHelp("The database that has the table.", valueName: "path"),
    completion: .file()
  )
  var from: String

  @Option(help: ArgumentHelp("The table, or a view.", valueName: "name"))
  var table: String

  @Option(help: ArgumentHelp("The column of the ids: texts or whole numbers.", valueName: "column"))
  var id = "id"

  @Option(help: ArgumentHelp("The column of the status.", valueName: "column"))
  var status = "processing_status"

  @Option(help: ArgumentHelp("The column of the renderer's name.", valueName: "column"))
  var renderId = "video_render_id"

  @Option(help: ArgumentHelp("The column of the bucket.", valueName: "column"))
  var bucketName = "video_bucket_name"

  @Option(help: ArgumentHelp("The column that says where the video is.", valueName: "column"))
  var videoUrl = "video_url"

  @Option(help: ArgumentHelp("The column that says why it failed.", valueName: "column"))
  var error = "processing_error"

  @Option(help: ArgumentHelp("The column of the progress, 0 to 100.", valueName: "column"))
  var progress = "processing_progress"

  @Option(
    help: ArgumentHelp("For what is under way: as for serve; 0 is off.", valueName: "duration")
  )
  var queuedTimeout: DurationArgument?

  @Option(help: ArgumentHelp("The same.", valueName: "duration"))
  var stallTimeout: DurationArgument?

  @Option(help: ArgumentHelp("The same.", valueName: "duration"))
  var totalTimeout: DurationArgument?

  @Flag(help: "Only tell what would be done.")
  var dryRun = false

  @OptionGroup var database: ExistingDatabase
  @OptionGroup var output: OutputOptions

  /// So many rows are a commit.
  private static let group = 256

  func validate() throws {
    guard !id.isEmpty, !status.isEmpty else {
      throw ValidationError("--id and --status must name columns.")
    }
  }

  func run() throws {
    let output = output.makeOutput()
    let report = try database.use(for: .changing) { try takeOver(into: $0, output) }
    if output.isJSON {
      try output.print(json: [report]) { $0.write(to: &$1) }
    } else {
      try output.print(report.lines(output.presentation))
    }
    if report.refused > 0 { throw ExitCode.no }
  }

  private func takeOver(
    into store: RenderStore,
    _ output: CommandOutput
  ) throws -> LegacyReport {
    let columns = makeColumns()
    let source = try LegacyTable(table, in: from, columns: columns)
    let legacyImport = LegacyImport(
      columns: columns,
      timeouts: JSONObject([
        "queuedMs": queuedTimeout.map { .integer($0.milliseconds) },
        "stallMs": stallTimeout.map { .integer($0.milliseconds) },
        "totalMs": totalTimeout.map { .integer($0.milliseconds) },
      ]),
      isRehearsal: dryRun
    )
    var report = LegacyReport(path: from, table: table, isRehearsal: dryRun)
    while case let rows = try next(of: source), !rows.isEmpty {
      let results = try legacyImport.carryOut(rows, on: store, by: SystemClock())
      store.checkpointIfDue()
      for result in results { report.count(result) }
      let remarkable = results.filter(\.isRemarkable)
      if output.isJSON {
        try output.print(json: remarkable) { LegacyReport.write($0, to: &$1) }
      } else {
        try output.print(remarkable.compactMap { LegacyReport.line($0, output.presentation) })
      }
    }
    return report
  }

  private func next(of source: LegacyTable) throws -> [LegacyTable.Row] {
    do throws(StoreError) {
      return try source.next(Self.group)
    } catch {
      throw CommandError(
        message: """
          \(from) cannot be read to its end: \(error); what was taken over stays, and the same \
          command goes on from there
          """
      )
    }
  }

  private func makeColumns() -> LegacyTable.Columns {
    func column(_ name: String) -> String? { name.isEmpty ? nil : name }
    return LegacyTable.Columns(
      id: id,
      status: status,
      renderID: column(renderId),
      bucketName: column(bucketName),
      videoURL: column(videoUrl),
      error: column(error),
      progress: column(progress)
    )
  }
}
