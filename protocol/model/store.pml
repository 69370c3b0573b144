/*
 * How several processes change one store: what Sources/RenderStore and Sources/Sidecar do, with one render and one
 * lease, small enough that all interleavings and all deaths are searched. README.md says how to read it, `run` searches.
 */

/* How much of everything there is; `run` chooses. */
#ifndef SIDECARS
#define SIDECARS 2
#endif
#ifndef STRANGERS        /* somebody else's SQL: SQLite's own lock and the triggers, but no gate and no marks */
#define STRANGERS 0
#endif
#ifndef REQUESTS         /* of all hosts together */
#define REQUESTS 3
#endif
#ifndef WATCHERS         /* so many of the hosts have subscribed */
#define WATCHERS 0
#endif
#ifndef EXPECTING        /* whether requests carry expectedVersion */
#define EXPECTING 0
#endif
#ifndef KILLS            /* kill -9, of anybody at any moment */
#define KILLS 0
#endif
#ifndef LIMIT            /* the stall clock of an attempt; 0: off */
#define LIMIT 0
#endif
#ifndef NOON             /* when the clock stops */
#define NOON (3 * LIMIT)
#endif
#ifndef RENDERIDS        /* that hosts may name, at any time */
#define RENDERIDS 0
#endif
#ifndef ASKING           /* for changes, for one change again and again with the same key, or for the lease */
#define ASKING CHANGES
#endif
#define CHANGES 0
#define REPEATS 1
#define LEASES  2

/* What may be taken away. */
#ifndef BROKEN
#define BROKEN 0
#endif
#define broken(part) (((BROKEN) & (part)) != 0)
#define NO_GATE          (1 << 0)   /* nobody waits at the gate */
#define LATE_LOCK        (1 << 1)   /* BEGIN instead of BEGIN IMMEDIATE, and no snapshot: locked by the first write */
#define NO_GUARD         (1 << 2)   /* saved without "WHERE version = ..." */
#define NO_EXPECTATION   (1 << 3)   /* expectedVersion is not looked at */
#define NO_FENCING       (1 << 4)   /* nor is the renderId */
#define NO_DATA_VERSION  (1 << 5)   /* what was read once is trusted for ever */
#define NO_TRIGGERS      (1 << 6)   /* a SQL shell may write what it likes */
#define LOG_APART        (1 << 7)   /* the log is written in a commit of its own */
#define EARLY_SEQ        (1 << 8)   /* seq is drawn before the lock is had, as from a sequence */
#define LOCK_FILE_STAYS  (1 << 9)   /* the gate is a file that is there, not a lock that its holder's death frees */
#define MARKS_ONLY       (1 << 10)  /* the log is read after a mark, and never otherwise */
#define EARLY_MARK       (1 << 11)  /* marked before the commit */
#define LATE_CLEAR       (1 << 12)  /* marks are forgotten after the log was read */
#define OWN_AT_ONCE      (1 << 13)  /* own changes are told without a look at what stands before them */
#define SNAPSHOT_APART   (1 << 14)  /* a subscription's snapshot and its cursor are read one after the other */
#define NO_CURSOR        (1 << 15)  /* afterSeq is ignored */
#define NOT_RECHECKED    (1 << 16)  /* a deadline that was seen to be past is not looked at again */
#define COLUMN_TRUSTED   (1 << 17)  /* the column deadline_at is taken at its word */
#define DEADLINE_KEPT    (1 << 18)  /* deadlines are in the memory of the process that started the attempt */
#define KEY_KEPT         (1 << 19)  /* and so are idempotency keys */
#define NO_TOKEN         (1 << 20)  /* a lease that changes hands keeps its token */

mtype = { idle, queued, rendering, completed, failed };          /* states */
mtype = { none, start, progress, complete, fail, acquire, release };   /* events, and what is asked of a lease */

#define NOBODY      0
#define ANY         255             /* no expectedVersion */
#define PROCESSES   (SIDECARS + STRANGERS)
#define MOST        (2 * (REQUESTS + STRANGERS))

#define isActive(state)  (state == queued || state == rendering)
/* The machine's table; a start from completed is a regenerate. */
#define legal(state, event)  ((event == start && !isActive(state)) || (event == progress && isActive(state)) || \
                              (event == complete && state == rendering) || (event == fail && isActive(state)))

/* ---- The database as it is committed ---- */

typedef Render {
  mtype state = idle;
  byte version, attempt, renderId;
  byte updatedAt;
};
Render row;
byte deadlineAt;                    /* of the row: when the watchdog is to look at it; 0: never */
byte log[MOST + 1];                 /* by seq: the version that the change made; 0: no such change */
byte head;                          /* the log's last seq */
byte owner[RENDERIDS + 1];          /* render_ids: the attempt that first named it; 0: nobody yet */
bool keyUsed[SIDECARS + 1];         /* idempotency keys in the log; each host has one */
byte holder, token;                 /* the lease */

/* ---- What the system and SQLite hold ---- */

byte gate, lock;                    /* flock on the lock file; SQLite's write lock: who has it */
bool fresh[PROCESSES + 1];          /* data_version: nobody else has committed since this one looked */
bool marked[PROCESSES + 1];         /* inotify: the lock file was written since */
bool killed[PROCESSES + 1];
byte now = 1;
byte drawn;                         /* with EARLY_SEQ: the last seq that was drawn */

/* ---- What the hosts know ---- */

byte requests = REQUESTS;           /* that they still have */
byte position[SIDECARS + 1];        /* the seq up to which a host was told; it outlives its sidecar */
byte known[SIDECARS + 1];           /* the version that a host knows of */
byte takenBy[MOST + 1];             /* by token: who was given it */
byte fired;                         /* the last attempt that a deadline has ended */

#define promise(condition, text)  if :: condition :: else -> printf(text); assert(false) fi

inline take(what, isOpen) {
  atomic {
    what == NOBODY || isOpen;
    if
    :: !isOpen -> what = me
    :: else
    fi
  }
}

inline leave(what) {
  d_step {
    if
    :: what == me -> what = NOBODY
    :: else
    fi
  }
}

inline copy(from, to) {
  to.state = from.state; to.version = from.version; to.attempt = from.attempt;
  to.renderId = from.renderId; to.updatedAt = from.updatedAt
}

/* What an event makes of a render. */
inline apply(event, id, at, render) {
  render.version++;
  if
  :: event == start -> render.state = queued; render.attempt++; render.renderId = 0
  :: event == progress -> render.state = rendering
  :: event == complete -> render.state = completed
  :: event == fail -> render.state = failed
  fi;
  if
  :: id != 0 -> render.renderId = id
  :: else
  fi;
  if
  :: at > render.updatedAt -> render.updatedAt = at
  :: else
  fi
}

/* All others have to read anew what they remember. */
inline noteCommit() {
  p = 1;
  do
  :: p <= PROCESSES -> fresh[p] = fresh[p] && p == me; p++
  :: else -> break
  od;
  p = 0
}

inline mark() {
  d_step {
    p = 1;
    do
    :: p <= WATCHERS -> marked[p] = true; p++
    :: else -> break
    od;
    p = 0
  }
}

/* The host is told of the change that has this seq, if there is one. */
inline tell(seq) {
  position[me] = seq;
  if
  :: log[seq] != 0 ->
     promise(log[seq] == known[me] + 1, "every change is told, once and in order");
     known[me] = log[seq]
  :: else
  fi
}

inline readLog() {
  d_step {
    do
    :: position[me] < head -> seq = position[me] + 1; tell(seq)
    :: else -> break
    od;
    seq = 0
  }
}

/* What a host wants next. */
inline choose() {
  if
  :: ASKING == CHANGES ->
     if
     :: what = start
     :: what = progress
     :: what = complete
     :: what = fail
     fi;
     if
     :: expected = ANY
     :: EXPECTING -> expected = row.version  /* it has just read that; other things may happen before it is asked */
     fi;
     if
     :: named = 0
     :: RENDERIDS >= 1 -> named = 1
     :: RENDERIDS >= 2 -> named = 2
     fi
  :: ASKING == REPEATS ->
     if
     :: what = start
     :: what = progress                      /* always with the same key */
     fi
  :: ASKING == LEASES ->
     if
     :: what = acquire
     :: what = release
     fi;
     if                                      /* whatever the clock says */
     :: isLive = true
     :: isLive = false
     fi
  fi
}

#define isChange  (what != acquire && what != release)
#define isKeyed   (ASKING == REPEATS && what == progress && !isOverdue)

/* Render.deciding, Lease.granting and WriteTransaction.failOverdue. */
inline decide() {
  if
  :: what == acquire ->
     isAccepted = holder == NOBODY || holder == me || !isLive;
     grant = (holder == me && isLive || broken(NO_TOKEN) && token > 0 -> token : token + 1)
  :: what == release ->
     isAccepted = holder == me && isLive;
     grant = token
  :: isOverdue ->
     isAccepted = broken(NOT_RECHECKED) || deadlineAt != 0 && deadlineAt <= at &&
       (broken(COLUMN_TRUSTED) || isActive(mine.state) && mine.updatedAt + LIMIT <= at)
  :: else ->
     isAccepted = !(isKeyed && (broken(KEY_KEPT) -> kept != 0 : keyUsed[me])) &&
       (broken(NO_EXPECTATION) || expected == ANY || expected == mine.version) &&
       (broken(NO_FENCING) || named == 0 || (what != start && mine.renderId != 0 -> named == mine.renderId : owner[named] == 0)) &&
       legal(mine.state, what)
  fi
}

/* COMMIT of a change, by whomever: `next` takes the place of `row`, and the log has one more. */
inline commitChange(next, seq) {
  promise(next.version == row.version + 1, "each version has one winner");
  copy(next, row);
  if
  :: LIMIT > 0 && isActive(row.state) -> deadlineAt = row.updatedAt + LIMIT
  :: else -> deadlineAt = 0
  fi;
  if
  :: !broken(LOG_APART) -> append(seq)
  :: else
  fi;
  noteCommit()
}

inline append(seq) {
  log[seq] = row.version;
  if
  :: seq > head -> head = seq
  :: else
  fi
}

/* ---- A sidecar: the one thread that has the store ---- */

inline forget() {
  what = none; expected = ANY; named = 0; at = 0; seq = 0; grant = 0;
  isOverdue = false; isLive = false; isAccepted = false
}

proctype Sidecar(byte me) {
  Render mine;                               /* RenderCache: the render as it was read or written last */
  mtype what = none;                         /* what is to be done, and what goes with it */
  byte expected = ANY, named, at, seq, grant;
  bool isOverdue, isLive, isAccepted;
  byte kept;                                 /* what DEADLINE_KEPT and KEY_KEPT have in memory only */
  byte p;

  /* The host subscribes: it gets a snapshot, and what comes after it. */
  if
  :: me > WATCHERS
  :: me <= WATCHERS && broken(SNAPSHOT_APART) -> known[me] = row.version; position[me] = head
  :: else -> d_step { known[me] = row.version; position[me] = head }
  fi;

  do
  :: {
       /* Feed.advance: what is new in the log, whoever changed it. */
       if
       :: me > WATCHERS
       :: me <= WATCHERS && !broken(LATE_CLEAR) -> marked[me] = false; readLog()
       :: me <= WATCHERS && broken(LATE_CLEAR) -> readLog(); marked[me] = false
       fi;

       /* Sidecar.run: sleeps until there is something to do. */
end:   if
       :: atomic { requests > 0 -> requests--; choose(); at = now }
       :: atomic { deadlineAt != 0 && deadlineAt <= now && (!broken(DEADLINE_KEPT) || kept == row.attempt) ->
            what = fail; isOverdue = true; at = now
          }
       :: marked[me]
       :: me <= WATCHERS && !broken(MARKS_ONLY) && position[me] != head    /* the tick: four times a second */
       fi;

       /* RenderStore.write */
       if
       :: what == none
       :: else ->
          take(gate, broken(NO_GATE));
          if
          :: broken(EARLY_SEQ) -> d_step { drawn++; seq = drawn }
          :: else
          fi;
          take(lock, broken(LATE_LOCK));                      /* BEGIN IMMEDIATE */
          d_step {
            if
            :: fresh[me] || broken(NO_DATA_VERSION) && mine.version > 0
            :: else -> copy(row, mine)
            fi;
            fresh[me] = true;
            if
            :: !broken(EARLY_SEQ) -> seq = head + 1
            :: else
            fi;
            decide()
          }
          atomic {
            if
            :: isAccepted && (lock == me || lock == NOBODY) ->
               lock = me;                                     /* the first write takes it, at the latest */
               if
               :: isChange && (row.version == mine.version || broken(NO_GUARD)) ->
                  apply(what, named, at, mine)                /* UPDATE ... WHERE version = ... */
               :: isChange && row.version != mine.version && !broken(NO_GUARD) ->
                  promise(broken(LATE_LOCK), "the guard has nothing to refuse behind the locks");
                  isAccepted = false; fresh[me] = false
               :: !isChange
               fi
            :: !isAccepted
            fi
          }
          if
          :: isAccepted && broken(EARLY_MARK) -> mark()
          :: else
          fi;
          d_step {                                            /* COMMIT, or ROLLBACK */
            if
            :: isAccepted && isChange ->
               if
               :: isOverdue ->
                  promise(fired < row.attempt, "a deadline fires at most once");
                  promise(isActive(row.state) && row.updatedAt + LIMIT <= now, "no deadline fires early");
                  fired = row.attempt
               :: else ->
                  promise(expected == ANY || expected + 1 == mine.version, "who expects a version makes the next one")
               fi;
               if
               :: named != 0 ->
                  promise(owner[named] == 0 || owner[named] == mine.attempt, "a renderId changes its own attempt only");
                  owner[named] = mine.attempt
               :: else
               fi;
               if
               :: isKeyed ->
                  promise(!keyUsed[me], "a key is carried out at most once");
                  keyUsed[me] = true
               :: else
               fi;
               commitChange(mine, seq);
               kept = mine.attempt
            :: isAccepted && !isChange ->
               promise(what == release || takenBy[grant] == NOBODY || takenBy[grant] == me, "a token has one holder");
               takenBy[grant] = (what == acquire -> me : takenBy[grant]);
               token = grant;
               holder = (what == acquire -> me : NOBODY);
               noteCommit()
            :: isOverdue && !isAccepted && deadlineAt != 0 && deadlineAt <= at ->
               /* Its deadline was touched by hand: the column is set right. */
               deadlineAt = (isActive(mine.state) -> mine.updatedAt + LIMIT : 0);
               noteCommit()
            :: else
            fi;
            if
            :: lock == me -> lock = NOBODY
            :: else
            fi
          }
          if
          :: isAccepted && isChange && broken(LOG_APART) -> d_step { append(seq) }
          :: else
          fi;
          if
          :: isAccepted && !broken(EARLY_MARK) -> mark()
          :: else
          fi;
          leave(gate);
          d_step {                                            /* Feed.advance(over:) */
            if
            :: isAccepted && isChange && me <= WATCHERS && (position[me] + 1 == seq || broken(OWN_AT_ONCE)) -> tell(seq)
            :: else
            fi;
            forget()
          }
       fi;
     } unless {
       /* Its successor remembers nothing, and the host subscribes anew, from where it was. */
       killed[me] -> d_step {
         killed[me] = false; marked[me] = false; fresh[me] = false;
         forget(); kept = 0;
         mine.state = idle; mine.version = 0; mine.attempt = 0; mine.renderId = 0; mine.updatedAt = 0;
         if
         :: broken(NO_CURSOR) -> position[me] = head
         :: else
         fi
       }
     }
  od
}

/* ---- Somebody else's SQL, by hand or by an old script ---- */

proctype Stranger(byte me) {
  Render mine;
  mtype what;
  byte seen, p;

  {
    seen = row.version;                                       /* SELECT */
    atomic {
      if
      :: what = start
      :: what = progress
      :: what = fail
      fi
    }
    take(lock, false);                                        /* UPDATE ... SET version = ..., a transaction of its own */
    d_step {
      if
      :: broken(NO_TRIGGERS) || seen == row.version && legal(row.state, what) ->
         copy(row, mine);
         mine.version = seen;
         apply(what, 0, now, mine);
         commitChange(mine, head + 1);
         if
         :: deadlineAt != 0 -> deadlineAt = now               /* so that the watchdog works out the right one */
         :: else
         fi
      :: else                                                 /* RAISE (ABORT) */
      fi;
      lock = NOBODY
    }
  } unless { killed[me] }
}

/* ---- The world ---- */

proctype Killer() {
  byte kills = KILLS, victim;

  do
  :: atomic { kills > 0 ->
       kills--;
       select (victim : 1 .. PROCESSES);
       killed[victim] = true;
       if                                                     /* the system frees what the dead held */
       :: gate == victim && !broken(LOCK_FILE_STAYS) -> gate = NOBODY
       :: else
       fi;
       if                                                     /* and SQLite rolls back what they had not committed */
       :: lock == victim -> lock = NOBODY
       :: else
       fi;
       victim = 0
     }
  :: break
  od
}

proctype Clock() {
  do
  :: now < NOON -> now++
  :: else -> break
  od
}

init {
  byte p;

  atomic {
    for (p : 1 .. SIDECARS) { run Sidecar(p) }
    for (p : SIDECARS + 1 .. PROCESSES) { run Stranger(p) }
    run Killer();
    run Clock();
    p = 1
  }
  /* When nothing more can happen: */
  timeout -> d_step {
    promise(gate == NOBODY && lock == NOBODY, "the dead block nobody");
    promise(!(LIMIT > 0 && isActive(row.state) && row.updatedAt + LIMIT <= now), "no deadline is lost");
    promise(log[head] == row.version, "every change is in the log");
    do
    :: p <= WATCHERS -> promise(position[p] == head, "no change is missed"); p++
    :: else -> break
    od
  }
}
