import Foundation
import Glibc
import JSON
import Support

/// The real program as a process, over real pipes, driven from a test.
///
/// Whatever a test waits for is an event: a line, the end of stdout, the exit. The deadline of a
/// wait is only there so that a defect ends in a message instead of a standstill.
final class SidecarProcess: @unchecked Sendable {
  /// How a process is started.
  struct Launch {
    enum Input {
      case pipe
      case closed
    }

    enum Output {
      case pipe
      /// As Node gives it to its children.
      case socket
      case closed
      /// A pipe whose reading end is closed.
      case broken
    }

    enum Errors {
      case collected
      /// A pipe that is full, and that nobody reads.
      case full
      /// A pipe whose reading end is closed.
      case broken
      case closed
    }

    var arguments: [String]
    var environment: [String: String] = [:]
    var folder: String?
    var program = SidecarProcess.binary
    /// A command and its first arguments, which the program and its arguments are handed to.
    var wrapper: [String] = []
    var input = Input.pipe
    var output = Output.pipe
    var errors = Errors.collected
    /// Whether stdout is read from the beginning on.
    var isReading = true

    init(_ arguments: [String]) {
      self.arguments = arguments
    }

    init(serving database: String, _ arguments: [String] = []) {
      self.init(["serve", "--database", database] + arguments)
    }
  }

  enum Exit: Equatable {
    case code(Int32)
    case signal(Int32)
  }

  struct Trouble: Error, CustomStringConvertible {
    let description: String
  }

  /// The program under test.
  static let binary: String = {
    if let named = ProcessInfo.processInfo.environment["RENDERSTATE_BIN"] { return named }
    let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    return tests.deletingLastPathComponent().appending(path: "renderstate").path
  }()

  let identifier: pid_t
  private let mailbox: Mailbox
  private let output: PausableReader
  private let lock = NSLock()
  private var input: Int32
  private let kept: [Int32]
  private var lastRequest = 1_000_000

  init(_ launch: Launch) throws {
    _ = ignoresBrokenPipes
    let pipes = try ChildStreams(launch)
    identifier = try spawn(launch, pipes)
    pipes.closeChildEnds()
    input = pipes.input
    kept = pipes.takeKept()
    mailbox = Mailbox()
    output = PausableReader(pipes.output, into: mailbox, isReading: launch.isReading)
    collectErrors(pipes.errors, into: mailbox)
    awaitExit(of: identifier, into: mailbox)
  }

  convenience init(serving database: String, _ arguments: [String] = []) throws {
    try self.init(Launch(serving: database, arguments))
  }

  deinit {
    kill()
    closeInput()
    output.stop()
    for descriptor in kept { close(descriptor) }
  }

  // MARK: - Writing

  /// Writes one line; its end is added.
  func send(_ line: String) throws {
    try send(bytes: Array((line + "\n").utf8))
  }

  func send(bytes: [UInt8]) throws {
    let deadline = Date.whenPatienceEnds
    var written = 0
    while written < bytes.count {
      let (count, error) = bytes.withUnsafeBytes { bytes in
        (Glibc.write(input, bytes.baseAddress.map { $0 + written }, bytes.count - written), errno)
      }
      if count > 0 {
        written += count
      } else if error == EAGAIN {
        guard deadline.timeIntervalSinceNow > 0 else { throw trouble("stdin takes nothing") }
        var polled = pollfd(fd: input, events: Int16(POLLOUT), revents: 0)
        _ = poll(&polled, 1, 1_000)
      } else if error != EINTR {
        throw trouble("stdin cannot be written: \(String(cString: strerror(error)))")
      }
    }
  }

  /// Writes a request, or a notification if it has no id.
  func send(id: Int?, _ method: String, _ params: String = "{}") throws {
    try send(Self.message(id: id, method, params))
  }

  static func message(id: Int?, _ method: String, _ params: String = "{}") -> String {
    let id = id.map { #""id":\#($0),"# } ?? ""
    return #"{"jsonrpc":"2.0",\#(id)"method":"\#(method)","params":\#(params)}"#
  }

  func closeInput() {
    lock.withLock {
      if input >= 0 { close(input) }
      input = -1
    }
  }

  // MARK: - Reading

  /// The next message; an error if there is none any more.
  func receive() throws -> Received {
    guard let message = try receiveIfAny() else { throw trouble("stdout has ended") }
    return message
  }

  /// The next message; nil at the end of stdout.
  func receiveIfAny() throws -> Received? {
    try mailbox.take { _ in true }.orThrow(trouble("no message came"))
  }

  /// The next notification, whatever answers come before it.
  func notification() throws -> Received {
    let message = try mailbox.take(\.isNotification).orThrow(trouble("no notification came"))
    guard let message else { throw trouble("stdout has ended") }
    return message
  }

  /// The next answer, whatever notifications come before it.
  func answer() throws -> Received {
    let message = try mailbox.take { !$0.isNotification }.orThrow(trouble("no answer came"))
    guard let message else { throw trouble("stdout has ended") }
    return message
  }

  /// Everything up to the end of stdout.
  func receiveRest() throws -> [Received] {
    var messages: [Received] = []
    while let message = try receiveIfAny() { messages.append(message) }
    return messages
  }

  /// Sends a request and waits for its answer; notifications may come in between.
  func call(_ method: String, _ params: String = "{}") throws -> Received {
    lastRequest += 1
    try send(id: lastRequest, method, params)
    let answer = try answer()
    guard answer.integer("id") == Int64(lastRequest) else {
      throw trouble("an answer to something else: \(answer)")
    }
    return answer
  }

  /// Sends an event for a render and waits for its answer.
  func transition(_ id: String, _ event: String, _ more: String = "") throws -> Received {
    try call("transition", #"{"id":"\#(id)","event":"\#(event)"\#(more)}"#)
  }

  func resumeReading() {
    output.resume()
  }

  /// Closes our end of stdout.
  func closeOutput() {
    output.stop()
  }

  /// stdout as it was, when it has ended.
  func outputText() throws -> String {
    try mailbox.outputText().orThrow(trouble("stdout does not end"))
  }

  /// stderr as it was, when it has ended.
  func errorText() throws -> String {
    try mailbox.errorText().orThrow(trouble("stderr does not end"))
  }

  /// Waits until stderr holds a text.
  func awaitError(containing text: String) throws {
    try mailbox.awaitError(containing: text).orThrow(trouble("stderr never says \(text)"))
  }

  // MARK: - The process

  /// Runs a program to its end, with nothing on stdin.
  static func run(
    _ arguments: [String],
    program: String = binary,
    folder: String? = nil,
    environment: [String: String] = [:]
  ) throws -> Outcome {
    var launch = Launch(arguments)
    launch.program = program
    launch.folder = folder
    launch.environment = environment
    let process = try SidecarProcess(launch)
    let exit = try process.stop()
    return Outcome(exit: exit, output: try process.outputText(), errors: try process.errorText())
  }

  struct Outcome {
    let exit: Exit
    let output: String
    let errors: String
  }

  /// Has the sqlite3 shell run SQL on a database, as somebody beside the sidecars would.
  @discardableResult
  static func sqlite3(_ database: String, _ sql: String) throws -> String {
    let outcome = try run(
      ["-bail", "-cmd", ".timeout 10000", database, sql],
      program: "sqlite3"
    )
    guard outcome.exit == .code(0) else { throw Trouble(description: outcome.errors) }
    return outcome.output
  }

  func kill() {
    signal(SIGKILL)
  }

  /// Sends a signal, unless the process has ended.
  func signal(_ number: Int32) {
    mailbox.whileRunning { _ = Glibc.kill(identifier, number) }
  }

  /// Waits for the end of the process.
  func exit() throws -> Exit {
    try mailbox.exit().orThrow(trouble("the process does not end"))
  }

  /// Closes stdin and waits for the end of the process.
  func stop() throws -> Exit {
    closeInput()
    return try exit()
  }

  /// Sets the largest file that the process may write, in bytes; nil for any.
  func limitFileSize(_ bytes: UInt64?) {
    var limit = rlimit()
    _ = GNU.prlimit(identifier, Int32(RLIMIT_FSIZE.rawValue), nil, &limit)
    limit.rlim_cur = bytes.map(rlim_t.init) ?? limit.rlim_max
    _ = GNU.prlimit(identifier, Int32(RLIMIT_FSIZE.rawValue), &limit, nil)
  }

  /// The most memory it had so far, in bytes (proc(5), VmHWM).
  func peakMemory() throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    guard let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first,
      let count = Int(kibibytes)
    else { throw trouble("no VmHWM") }
    return count * 1_024
  }

  private func trouble(_ what: String) -> Trouble {
    Trouble(description: "\(what); stderr so far: \(mailbox.errorsSoFar)")
  }
}

/// One line of stdout.
struct Received: Sendable, CustomStringConvertible {
  let text: String
  /// nil for a line that is no JSON.
  let json: JSON?

  init(text: String) {
    self.text = text
    json = try? JSON(reading: text)
  }

  private init(_ json: JSON) {
    text = json.compactText
    self.json = json
  }

  var description: String { String(text.prefix(500)) }

  /// A message is an object or an array of them, in JSON-RPC 2.0.
  var isMessage: Bool {
    switch json {
    case .object: string("jsonrpc") == "2.0"
    case .array: elements().allSatisfy { $0.string("jsonrpc") == "2.0" } && !elements().isEmpty
    default: false
    }
  }

  var isNotification: Bool { string("method") != nil }
  var hasNullID: Bool { if case .null = value(["id"]) { true } else { false } }
  var errorCode: Int64? { integer("error", "code") }
  var errorKind: String? { string("error", "data", "kind") }

  func string(_ path: String...) -> String? {
    if case .string(let text) = value(path) { text } else { nil }
  }

  func integer(_ path: String...) -> Int64? {
    if case .integer(let value) = value(path) { value } else { nil }
  }

  func bool(_ path: String...) -> Bool? {
    if case .bool(let value) = value(path) { value } else { nil }
  }

  func elements(_ path: String...) -> [Received] {
    if case .array(let elements) = value(path) { elements.map(Received.init) } else { [] }
  }

  private func value(_ path: [String]) -> JSON? {
    var value = json
    for key in path {
      guard case .object(let object) = value else { return nil }
      value = object[key]
    }
    return value
  }
}

// MARK: - What arrives

/// What a process has said and how it ended; threads put it in, a test waits for it.
private final class Mailbox: @unchecked Sendable {
  /// What came of a wait.
  enum Wait<Value> {
    case came(Value)
    case tookTooLong

    func orThrow(_ trouble: @autoclosure () -> SidecarProcess.Trouble) throws -> Value {
      switch self {
      case .came(let value): return value
      case .tookTooLong: throw trouble()
      }
    }
  }

  private let condition = NSCondition()
  private var messages: [Received?] = []
  private var first = 0
  private var output: [UInt8] = []
  private var outputHasEnded = false
  private var errors: [UInt8] = []
  private var errorsHaveEnded = false
  private var exitStatus: SidecarProcess.Exit?

  private func wait<Value>(_ value: () -> Value?) -> Wait<Value> {
    let deadline = Date.whenPatienceEnds
    return condition.withLock {
      while true {
        if let value = value() { return .came(value) }
        guard condition.wait(until: deadline) else { return .tookTooLong }
      }
    }
  }

  private func change(_ body: () -> Void) {
    condition.withLock {
      body()
      condition.broadcast()
    }
  }

  func take(_ matches: (Received) -> Bool) -> Wait<Received?> {
    var seen = 0
    return wait { () -> Received?? in
      seen = max(seen, first)
      while seen < messages.count {
        if let message = messages[seen], matches(message) {
          messages[seen] = nil
          while first < messages.count, messages[first] == nil { first += 1 }
          return .some(message)
        }
        seen += 1
      }
      return outputHasEnded ? .some(nil) : nil
    }
  }

  func outputText() -> Wait<String> {
    wait { outputHasEnded ? String(decoding: output, as: UTF8.self) : nil }
  }

  func errorText() -> Wait<String> {
    wait { errorsHaveEnded ? String(decoding: errors, as: UTF8.self) : nil }
  }

  func awaitError(containing text: String) -> Wait<Void> {
    wait { String(decoding: errors, as: UTF8.self).contains(text) ? () : nil }
  }

  func exit() -> Wait<SidecarProcess.Exit> {
    wait { exitStatus }
  }

  var errorsSoFar: String {
    condition.withLock { String(decoding: errors, as: UTF8.self) }
  }

  func whileRunning(_ body: () -> Void) {
    condition.withLock { if exitStatus == nil { body() } }
  }

  func put(output bytes: some Collection<UInt8>, messages more: [Received]) {
    change {
      output += bytes
      messages += more
    }
  }

  func endOutput() {
    change { outputHasEnded = true }
  }

  func put(errors bytes: some Collection<UInt8>) {
    change { errors += bytes }
  }

  func endErrors() {
    change { errorsHaveEnded = true }
  }

  func noteExit(_ status: () -> SidecarProcess.Exit) {
    change { exitStatus = status() }
  }
}

/// Reads stdout on a thread of its own, when it is allowed to, until it ends or nobody cares.
private final class PausableReader: @unchecked Sendable {
  private let condition = NSCondition()
  private var isReading: Bool
  private var isStopped = false
  private var hasEnded = false
  private let bell: (read: Int32, write: Int32)

  init(_ descriptor: Int32, into mailbox: Mailbox, isReading: Bool) {
    self.isReading = isReading
    bell = (try? makePipe()) ?? (-1, -1)
    guard descriptor >= 0 else {
      hasEnded = true
      mailbox.endOutput()
      return
    }
    let thread = Thread { [self] in
      read(descriptor, into: mailbox)
      close(descriptor)
      mailbox.endOutput()
      condition.withLock {
        hasEnded = true
        condition.broadcast()
      }
    }
    thread.stackSize = 8 << 20
    thread.start()
  }

  deinit {
    close(bell.read)
    close(bell.write)
  }

  func resume() {
    condition.withLock {
      isReading = true
      condition.broadcast()
    }
  }

  /// Closes the descriptor, and returns when it is closed.
  func stop() {
    condition.withLock {
      isStopped = true
      condition.broadcast()
      var byte: UInt8 = 0
      _ = write(bell.write, &byte, 1)
      while !hasEnded { condition.wait() }
    }
  }

  private func mayRead() -> Bool {
    condition.withLock {
      while !isReading, !isStopped { condition.wait() }
      return !isStopped
    }
  }

  private func read(_ descriptor: Int32, into mailbox: Mailbox) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var line: [UInt8] = []
    while mayRead() {
      var polled = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: bell.read, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&polled, 2, -1) > 0 else { continue }
      if polled[1].revents != 0 { return }
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      var messages: [Received] = []
      var rest = buffer[..<count]
      while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
        line += rest[..<newline]
        messages.append(Received(text: String(decoding: line, as: UTF8.self)))
        line = []
        rest = rest[(newline + 1)...]
      }
      line += rest
      mailbox.put(output: buffer[..<count], messages: messages)
    }
  }
}

private func collectErrors(_ descriptor: Int32, into mailbox: Mailbox) {
  guard descriptor >= 0 else {
    mailbox.endErrors()
    return
  }
  let thread = Thread {
    var buffer = [UInt8](repeating: 0, count: 1 << 14)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      mailbox.put(errors: buffer[..<count])
    }
    close(descriptor)
    mailbox.endErrors()
  }
  thread.start()
}

private func awaitExit(of identifier: pid_t, into mailbox: Mailbox) {
  let thread = Thread {
    // Waits without taking the process away, so that its number is no other's while it is signalled.
    var information = siginfo_t()
    while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    mailbox.noteExit {
      var status: Int32 = 0
      while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
      let signal = status & 0x7F
      return signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal)
    }
  }
  thread.start()
}

// MARK: - Starting

/// A write to a process that is gone is to fail, not to end the tests.
private let ignoresBrokenPipes: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

/// What glibc has beyond POSIX, which the module Glibc does not show.
private enum GNU {
  typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>

  static let closeFrom = function(
    "posix_spawn_file_actions_addclosefrom_np",
    as: (@convention(c) (Actions, Int32) -> Int32).self
  )
  static let changeFolder = function(
    "posix_spawn_file_actions_addchdir_np",
    as: (@convention(c) (Actions, UnsafePointer<CChar>) -> Int32).self
  )
  static let prlimit = function(
    "prlimit",
    as: (@convention(c) (pid_t, Int32, UnsafePointer<rlimit>?, UnsafeMutablePointer<rlimit>?) ->
      Int32).self
  )

  private static func function<Function>(_ name: String, as type: Function.Type) -> Function {
    guard let address = dlsym(nil, name) else { fatalError("this glibc has no \(name)") }
    return unsafeBitCast(address, to: type)
  }
}

private func makePipe() throws -> (Int32, Int32) {
  var ends: [Int32] = [-1, -1]
  guard pipe(&ends) == 0 else {
    throw SidecarProcess.Trouble(description: "no pipe: \(String(cString: strerror(errno)))")
  }
  for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  return (ends[0], ends[1])
}

/// Both ends of a child's standard streams; -1 for what is closed, or nobody's business.
private final class ChildStreams {
  private(set) var input: Int32 = -1
  private(set) var output: Int32 = -1
  private(set) var errors: Int32 = -1
  private(set) var childInput: Int32 = -1
  private(set) var childOutput: Int32 = -1
  private(set) var childErrors: Int32 = -1
  private var kept: [Int32] = []

  init(_ launch: SidecarProcess.Launch) throws {
    if launch.input == .pipe {
      (childInput, input) = try makePipe()
      _ = fcntl(input, F_SETFL, O_NONBLOCK)
    }
    switch launch.output {
    case .pipe:
      (output, childOutput) = try makePipe()
    case .broken:
      (output, childOutput) = try makePipe()
      close(output)
      output = -1
    case .socket:
      var ends: [Int32] = [-1, -1]
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
        throw SidecarProcess.Trouble(description: "no socket")
      }
      (output, childOutput) = (ends[0], ends[1])
    case .closed:
      break
    }
    switch launch.errors {
    case .collected:
      (errors, childErrors) = try makePipe()
    case .broken:
      (errors, childErrors) = try makePipe()
      close(errors)
      errors = -1
    case .full:
      let (unread, full) = try makePipe()
      kept.append(unread)
      childErrors = full
      _ = fcntl(full, F_SETFL, O_NONBLOCK)
      let filling = [UInt8](repeating: UInt8(ascii: "."), count: 1 << 12)
      while write(full, filling, filling.count) > 0 {}
      _ = fcntl(full, F_SETFL, 0)
    case .closed:
      break
    }
  }

  func closeChildEnds() {
    for end in [childInput, childOutput, childErrors] where end >= 0 { close(end) }
  }

  /// The ends that are only kept open; to be closed when the process has ended.
  func takeKept() -> [Int32] {
    defer { kept = [] }
    return kept
  }
}

private func spawn(
  _ launch: SidecarProcess.Launch,
  _ streams: ChildStreams
) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  let standard = [streams.childInput, streams.childOutput, streams.childErrors]
  for (number, end) in zip(Int32(0)..., standard) {
    if end >= 0 {
      posix_spawn_file_actions_adddup2(&actions, end, number)
    } else {
      posix_spawn_file_actions_addclose(&actions, number)
    }
  }
  // Nothing of the tests that run beside this one: a pipe held open here would never end there.
  _ = GNU.closeFrom(&actions, 3)
  if let folder = launch.folder { _ = GNU.changeFolder(&actions, folder) }

  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  for number in [SIGPIPE, SIGTERM, SIGINT, SIGXFSZ] { sigaddset(&signals, number) }
  posix_spawnattr_setsigdefault(&attributes, &signals)
  let flags = Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
  posix_spawnattr_setflags(&attributes, flags)

  let inherited = ProcessInfo.processInfo.environment.filter {
    !$0.key.hasPrefix("RENDERSTATE_")
  }
  let environment = inherited.merging(launch.environment) { $1 }.map { "\($0)=\($1)" }
  let arguments = launch.wrapper + [launch.program] + launch.arguments
  var identifier: pid_t = 0
  let result = withCStrings(arguments) { arguments in
    withCStrings(environment) { environment in
      arguments[0].map {
        posix_spawnp(&identifier, $0, &actions, &attributes, arguments, environment)
      }
    }
  }
  guard result == 0 else {
    let reason = String(cString: strerror(result ?? EINVAL))
    throw SidecarProcess.Trouble(description: "\(arguments[0]) cannot be started: \(reason)")
  }
  return identifier
}

private func withCStrings<Result>(
  _ strings: [String],
  _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
  let copies = strings.map { strdup($0) } + [nil]
  defer { for copy in copies { free(copy) } }
  return body(copies)
}
