internal import Glibc
internal import JSON

/// Who won a race, and what the loser was answered.
struct RaceOutcome: Sendable {
  let winner: pid_t
  let loser: pid_t
  let refusal: Refusal
}

/// What is shown when the renders have ended.
struct Report: Sendable {
  let race: RaceOutcome?
  let histories: [[StatusChange]]
  let videos: [EncodedVideo]

  /// What is to be printed; without a width, in lines as long as they come.
  func lines(width: Int?, _ paint: Paint) -> [String] {
    raceLines(paint) + histories.flatMap { historyLines($0, width, paint) } + videoLines(paint)
      + hintLines(paint)
  }

  private func raceLines(_ paint: Paint) -> [String] {
    guard let race else { return [] }
    return [
      "",
      paint("The race for intro", .bold),
      "Processes \(race.winner) and \(race.loser) sent the same start at once.",
      "\(race.winner) won; \(race.loser) was answered (its status trimmed here):",
      paint(race.refusal.shortLine, .red),
    ]
  }

  private func historyLines(_ changes: [StatusChange], _ width: Int?, _ paint: Paint) -> [String] {
    let table = Table(
      columns: [
        Table.Column(title: "seq", isNumber: true), Table.Column(title: "at (UTC)"),
        Table.Column(title: "event"), Table.Column(title: "from → to"),
        Table.Column(title: "done", isNumber: true), Table.Column(title: "run/attempt"),
        Table.Column(title: "actor"), Table.Column(title: "what", leastWidth: 24),
      ],
      rows: folded(changes).map(row)
    )
    let title = "The history of \(changes.first?.id ?? "nothing"), from the log"
    return ["", paint(title, .bold)] + table.lines(width: width, paint)
  }

  /// The progress within a state as its last change, with how many there were.
  private func folded(_ changes: [StatusChange]) -> [(change: StatusChange, count: Int)] {
    var folded: [(change: StatusChange, count: Int)] = []
    for change in changes {
      if let last = folded.last, change.isStep, last.change.isStep {
        folded[folded.count - 1] = (change, last.count + 1)
      } else {
        folded.append((change, 1))
      }
    }
    return folded
  }

  private func row(_ change: StatusChange, _ count: Int) -> Table.Row {
    Table.Row(
      cells: [
        "\(change.seq)", change.timeOfDay, change.event,
        "\(change.previousState) → \(change.state)", "\(change.percent) %",
        "\(change.run)/\(change.attempt)", change.actor ?? "",
        count > 1 ? "the last of \(count)" : change.what,
      ],
      styles: [3: Paint.Style(state: change.state)]
    )
  }

  private func videoLines(_ paint: Paint) -> [String] {
    let files = videos.compactMap(\.file)
    guard !files.isEmpty else {
      return [
        "", paint("No MP4 was made: the renders were simulated, the sidecar was real.", .bold),
      ]
    }
    let title = files.count == 1 ? "The MP4" : "The MP4s"
    return ["", paint(title, .bold)]
      + files.map { "\($0.path)  \(size($0.bytes))" }
  }

  private func size(_ bytes: Int64) -> String {
    guard bytes >= 1_000_000 else { return "\((bytes + 500) / 1_000) kB" }
    return "\((Double(bytes) / 100_000).rounded() / 10) MB"
  }

  private func hintLines(_ paint: Paint) -> [String] {
    let command = quotedForShell(CommandLine.arguments[0])
    let request =
      #"{"jsonrpc":"2.0","id":1,"method":"transition","params":{"id":"video-1","event":"start"}}"#
    let play = videos.first?.file.map { ["ffplay \(quotedForShell($0.path))"] } ?? []
    return ["", paint("What to try next", .bold)] + play
      + ["echo '\(request)' | \(command) serve --database renders.sqlite"]
  }

  private func quotedForShell(_ word: String) -> String {
    let isPlain = word.allSatisfy {
      $0.isASCII && ($0.isLetter || $0.isNumber || "/._-+".contains($0))
    }
    return isPlain ? word : "'\(word.replacing("'", with: #"'\''"#))'"
  }
}

extension StatusChange {
  /// Whether it is progress that leaves the state as it is.
  fileprivate var isStep: Bool {
    event == "progress" && previousState == state
  }
}

extension Refusal {
  /// The line with less of the status, which stands last in it: what it is now is what matters.
  fileprivate var shortLine: String {
    line.replacing(#/("status":{"id":"[^"]*","state":"[^"]*").*/#) { "\($0.1),…}}}}" }
  }
}
