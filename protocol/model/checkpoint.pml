/*
 * Why every commit and every checkpoint is under the gate: SQLite's write-ahead log, as far as it matters for that, in the
 * versions before 3.51.3. One page and one frame a commit.
 *
 * A checkpoint copies the log's frames into the database file and notes how far it came. Once all of it is there, the next
 * commit begins the log anew. A checkpoint that overlaps this works with the length of the log that was.
 */

#ifndef GATED                       /* whether they pass the gate */
#define GATED 1
#endif
#ifndef MENDED                      /* as SQLite 3.51.3 has it: a checkpoint looks whether the log was begun anew */
#define MENDED 0
#endif
#define COMMITS 5
#define CHECKPOINTS 3
#define NOBODY 0

byte file[COMMITS + 1];             /* the database file: whether a commit's page has reached it */
byte frame[COMMITS + 1];            /* the log's file: the commit that wrote the frame; old frames stay there */
byte length;                        /* mxFrame: so many frames count */
byte salt;                          /* grows when the log is begun anew */
byte copied;                        /* nBackfill: so many of them are in the database file */
byte commits;                       /* acknowledged */
byte gate, writing, checkpointing;  /* locks: who has them */

inline take(what) {
  atomic { what == NOBODY -> what = _pid }
}

inline pass(what) {
  if
  :: GATED -> take(what)
  :: else
  fi
}

proctype Writer() {
  bool isAllCopied;

  do
  :: commits < COMMITS ->
     pass(gate);
     take(writing);
     d_step { isAllCopied = copied == length && copied > 0 };     /* a reader of the file alone, so the log may begin anew */
     d_step {
       if
       :: isAllCopied -> length = 0; copied = 0; salt++
       :: else
       fi
     }
     d_step {                                                    /* the commit's frame, and the length that has it count */
       commits++;
       length++;
       frame[length] = commits
     }
     writing = NOBODY;
     gate = (gate == _pid -> NOBODY : gate)
  :: else -> break
  od
}

proctype Checkpointer() {
  byte all, i, seen, rounds = CHECKPOINTS;

  do
  :: rounds > 0 ->
     rounds--;
     pass(gate);
     take(checkpointing);
     d_step { all = length; seen = salt };                        /* the header, read once */
     d_step {
       if
       :: copied < all && (!MENDED || seen == salt) ->            /* but this is looked at now */
          i = copied + 1;
          do
          :: i <= all -> file[frame[i]] = 1; i++
          :: else -> break
          od;
          copied = all
       :: else
       fi;
       all = 0; i = 0; seen = 0
     }
     checkpointing = NOBODY;
     gate = (gate == _pid -> NOBODY : gate)
  :: else -> break
  od
}

/* What a reader sees: the frames that count, above the file. */
init {
  byte c, i;
  bool isThere;

  atomic { run Writer(); run Checkpointer(); run Checkpointer() }
  timeout -> d_step {
    c = 1;
    do
    :: c <= commits ->
       isThere = file[c];
       i = 1;
       do
       :: i <= length -> isThere = isThere || frame[i] == c; i++
       :: else -> break
       od;
       if
       :: isThere
       :: else -> printf("what was committed is there"); assert(false)
       fi;
       c++
     :: else -> break
    od
  }
}
