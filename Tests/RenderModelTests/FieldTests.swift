import JSON
import Testing

@testable import RenderModel

@Suite("What an event does to the fields")
struct FieldTests {
  @Test("an id that was never started is idle, version 0, and empty")
  func idle() {
    let render = Render.idle("video")
    #expect(render.state == .idle)
    #expect(render.progress == 0)
    #expect((render.run, render.attempt, render.version, render.seq) == (0, 0, 0, 0))
    #expect(render.metadata.text == "{}")
    #expect(
      [render.renderID, render.bucketName, render.videoURL, render.error] == [nil, nil, nil, nil]
    )
    #expect(render.lastEvent == nil)
  }

  @Test("the first start begins run 1, attempt 1, version 1, and dates the creation")
  func firstStart() throws {
    var story = Story()
    try story.accept(.event(.start), Context(renderID: "r1", bucketName: "b1"))
    let render = story.render
    #expect((render.run, render.attempt, render.version, render.seq) == (1, 1, 1, 1))
    #expect(render.createdAt == Story.noon)
    #expect(render.updatedAt == Story.noon)
    #expect(render.startedAt == Story.noon)
    #expect(render.renderID == "r1")
    #expect(render.bucketName == "b1")
  }

  @Test("a start without names has none, whatever the last attempt had")
  func startClears() throws {
    var story = Story()
    try story.accept(.event(.start), Context(renderID: "r1", bucketName: "b1"))
    try story.accept(
      .event(.progress),
      Context(progress: 40, metadata: .init(spelled: #"{"a":1}"#))
    )
    try story.accept(.event(.fail), Context(error: "no memory"))
    story.now = story.now.advanced(by: 10)
    try story.accept(.event(.start))
    let render = story.render
    #expect((render.run, render.attempt, render.version) == (1, 2, 4))
    #expect(render.progress == 0)
    #expect(
      [render.renderID, render.bucketName, render.videoURL, render.error] == [nil, nil, nil, nil]
    )
    #expect(render.metadata.text == #"{"a":1}"#)
    #expect(render.createdAt == Story.noon)
    #expect(render.startedAt == Story.noon.advanced(by: 10))
  }

  @Test("a start with names has these")
  func startNames() throws {
    var story = try Story(in: .failed)
    try story.accept(.event(.start), Context(renderID: "r2", bucketName: "b2"))
    #expect(story.render.renderID == "r2")
    #expect(story.render.bucketName == "b2")
  }

  @Test("progress becomes the larger of what it was and what is given")
  func progress() throws {
    var story = try Story(in: .queued)
    var seen: [Double] = []
    for given in [nil, 0, 12.5, 12.5, 3, nil, 100, 99] {
      try story.accept(.event(.progress), Context(progress: given))
      seen.append(story.render.progress)
    }
    #expect(seen == [0, 0, 12.5, 12.5, 12.5, 12.5, 100, 100])
  }

  @Test("complete sets progress 100 and the video, none if none is given")
  func complete() throws {
    var story = try Story(in: .rendering)
    try story.accept(.event(.complete), Context(videoURL: "https://v/1.mp4"))
    #expect(story.render.progress == 100)
    #expect(story.render.videoURL == "https://v/1.mp4")
    var bare = try Story(in: .rendering)
    try bare.take(.complete)
    #expect(bare.render.progress == 100)
    #expect(bare.render.videoURL == nil)
  }

  @Test("regenerate clears the video and keeps metadata and creation")
  func regenerate() throws {
    var story = try Story(in: .rendering)
    let metadata = try MetadataChange(spelled: #"{"k":"v"}"#)
    try story.accept(
      .event(.complete),
      Context(renderID: "r1", bucketName: "b", videoURL: "https://v/1.mp4", metadata: metadata)
    )
    story.now = story.now.advanced(by: 5)
    try story.accept(.regenerate)
    let render = story.render
    #expect((render.run, render.attempt) == (2, 1))
    #expect(render.progress == 0)
    #expect(
      [render.renderID, render.bucketName, render.videoURL, render.error] == [nil, nil, nil, nil]
    )
    #expect(render.metadata.text == #"{"k":"v"}"#)
    #expect(render.createdAt == Story.noon)
    #expect(render.startedAt == Story.noon.advanced(by: 5))
  }

  @Test(
    "fail and cancel set the error, their own words if none is given",
    arguments: [(Event.fail, "Render failed"), (.cancel, "Render cancelled")],
    [State.queued, .rendering]
  )
  func errors(event: (Event, String), state: State) throws {
    var bare = try Story(in: state)
    try bare.take(event.0)
    #expect(bare.render.error == event.1)
    for given in ["out of memory", ""] {
      var story = try Story(in: state)
      try story.accept(.event(event.0), Context(error: given))
      #expect(story.render.error == given)
    }
  }

  @Test("fail and cancel keep the progress", arguments: [Event.fail, .cancel])
  func progressAtFailure(event: Event) throws {
    var story = try Story(in: .queued)
    try story.accept(.event(.progress), Context(progress: 62.5))
    try story.take(event)
    #expect(story.render.progress == 62.5)
  }

  @Test(
    "progress, complete, fail and cancel set the names that are given, and keep the others",
    arguments: [Event.progress, .complete, .fail, .cancel]
  )
  func names(event: Event) throws {
    var unnamed = try Story(in: .rendering)
    try unnamed.accept(.event(event), Context(renderID: "r", bucketName: "b"))
    #expect(unnamed.render.renderID == "r")
    #expect(unnamed.render.bucketName == "b")

    var named = Story()
    try named.accept(.event(.start), Context(renderID: "r", bucketName: "b"))
    try named.take(.progress)
    var kept = named
    try kept.take(event)
    #expect(kept.render.renderID == "r")
    #expect(kept.render.bucketName == "b")
    try named.accept(.event(event), Context(bucketName: "other"))
    #expect(named.render.renderID == "r")
    #expect(named.render.bucketName == "other")
  }

  @Test("updatedAt never decreases though the clock goes back; startedAt is what the clock says")
  func clockGoesBack() throws {
    var story = try Story(in: .queued)
    story.now = story.now.advanced(by: -60_000)
    try story.take(.progress)
    #expect(story.render.updatedAt == Story.noon)
    #expect(story.log.last?.at == Story.noon)
    try story.take(.fail, .start)
    #expect(story.render.updatedAt == Story.noon)
    #expect(story.render.startedAt == story.now)
    story.now = Story.noon.advanced(by: 1)
    try story.take(.progress)
    #expect(story.render.updatedAt == Story.noon.advanced(by: 1))
  }

  @Test("a retry counts attempts within the run; a new run counts from one")
  func counting() throws {
    var story = Story()
    var seen: [[Int64]] = []
    for action: Command.Action in [
      .event(.start), .event(.fail), .event(.start), .event(.cancel), .event(.start),
      .event(.fail), .regenerate, .event(.fail), .event(.start),
    ] {
      try story.accept(action)
      if story.render.state == .queued { seen.append([story.render.run, story.render.attempt]) }
    }
    #expect(seen == [[1, 1], [1, 2], [1, 3], [2, 1], [2, 2]])
    #expect(story.render.version == 9)
  }

  @Test("the change holds the values right after it, and the metadata that the event carried")
  func changeRow() throws {
    var story = try Story(in: .queued)
    story.now = story.now.advanced(by: 7)
    try story.accept(.event(.progress), Context(metadata: .init(spelled: #"{"a":1,"b":2}"#)))
    try story.accept(
      .event(.progress),
      Context(renderID: "r", bucketName: "b", progress: 5, metadata: .init(spelled: #"{"a":null}"#))
    )
    let change = try #require(story.log.last)
    #expect((change.seq, change.version, change.run, change.attempt) == (3, 3, 1, 1))
    #expect(change.id == "video")
    #expect(
      (change.event, change.previousState, change.state) == (.progress, .rendering, .rendering)
    )
    #expect(change.progress == 5)
    #expect((change.renderID, change.bucketName) == ("r", "b"))
    #expect(change.metadata == #"{"a":null}"#)
    #expect(story.render.metadata.text == #"{"b":2}"#)
    #expect(change.actor == "host")
    #expect(change.at == Story.noon.advanced(by: 7))
    try story.take(.progress)
    #expect(story.log.last?.metadata == nil)
  }
}
