/* Two honest parties over a stream that breaks: every session ends, nobody ever says two things. See README.md.
 *
 * Slots 1..7: V hello, P reply, V propose, P accept, V stop, V open, P end; a state table's path with one
 * party twice in a row. The stream holds two frames each way. It breaks at any time, BREAKS times, and
 * takes what is under way with it; a party may then come back with an old copy of its journal whose lost
 * end the other still has. What a party says is not repeatable here (value 1 or 2, freely chosen), so a
 * slot that is filled twice shows. Each `#ifdef` names a switch that breaks one rule.
 */
#define LAST 7
#define V 0
#define P 1
#define OWNER(s) ((s) == 2 || (s) == 4 || (s) == 7)
#ifndef BREAKS
#define BREAKS 2
#endif

mtype = { RESUME, TURN };
chan to[2] = [2] of { mtype, byte, byte }; /* by receiver: kind, slot, value */

byte journal[16]; /* V's slots at 0..7, P's at 8..15: what each has, 0 for nothing */
byte length[2];
byte sent[2];     /* up to which slot its journal is on this stream */
byte behind[2];   /* the other's journal was this long when the stream began */
bool ready[2];    /* it knows where the other stands */
bool connected = false;
byte breaks = 0;
bool forked = false;
byte value;

#define HAS(who, s) journal[(who) * 8 + (s)]
#define DONE (length[V] == LAST && length[P] == LAST)

inline write_down(who, what) {
	length[who]++;
	HAS(who, length[who]) = what
}

/* A turn that came: the next one is kept, the same again is ignored, another for a filled slot is a fork. */
inline take(who, slot, what) {
	if
	:: slot == length[who] + 1 ->
		write_down(who, what);
		if :: sent[who] < slot -> sent[who] = slot :: else fi
	:: slot <= length[who] && HAS(who, slot) != what -> forked = true
	:: else
	fi
}

proctype party(bit who) {
	byte slot, what;
	do
	/* Its journal goes out from where the other stands. */
	:: atomic { connected && ready[who] && sent[who] < length[who] && nfull(to[1 - who]) ->
		sent[who]++; to[1 - who] ! TURN(sent[who], HAS(who, sent[who])) }
	/* It speaks where it is its turn and it has caught up: first into the journal. */
	:: atomic { connected && ready[who] && length[who] < LAST && OWNER(length[who] + 1) == who &&
#ifndef SPEAKS_BEFORE_CATCHING_UP
	            length[who] >= behind[who] &&
#endif
	            true ->
		if :: true -> what = 1 :: true -> what = 2 fi;
#ifdef SENDS_BEFORE_WRITING
		if
		:: nfull(to[1 - who]) && sent[who] == length[who] && breaks < BREAKS ->
			breaks++; to[1 - who] ! TURN(length[who] + 1, what) /* and dies before it is written down */
		:: true -> write_down(who, what)
		fi
#else
		write_down(who, what)
#endif
	}
	:: atomic { to[who] ? TURN(slot, what) ->
		take(who, slot, what);
		/* A Hello that the prover knows is answered from its journal. */
		if :: who == P && !ready[P] -> ready[P] = true; sent[P] = 1; behind[P] = 0 :: else fi }
	:: atomic { to[who] ? RESUME(slot, what) ->
		behind[who] = slot; sent[who] = slot; ready[who] = true;
#ifndef PROVER_DOES_NOT_SAY_WHERE_IT_STANDS
		if :: who == P -> to[V] ! RESUME(length[P], 0) :: else fi
#endif
	}
	od
}

proctype network() {
	bit who;
	byte keep;
	do
	/* The verifier connects and says where it stands, or says Hello again. */
	:: atomic { !connected -> connected = true; ready[P] = false; behind[P] = 0; behind[V] = 0;
		if
		:: length[V] >= 2 -> ready[V] = false; to[P] ! RESUME(length[V], 0)
		:: else -> ready[V] = true; sent[V] = 0
		fi }
	/* The stream breaks; one of the two may come back with an old copy of its journal. */
	:: atomic { connected && !DONE && breaks < BREAKS ->
		breaks++; connected = false; ready[V] = false; ready[P] = false;
		do :: to[V] ? _, _, _ :: empty(to[V]) -> break od;
		do :: to[P] ? _, _, _ :: empty(to[P]) -> break od;
		if
		:: true -> who = V
		:: true -> who = P
		fi;
		keep = length[who];
		do
		:: keep > 2 && length[1 - who] >= length[who] -> keep--
		:: true -> break
		od;
		do
		:: length[who] > keep -> HAS(who, length[who]) = 0; length[who]--
		:: else -> break
		od;
		who = 0; keep = 0 }
	od
}

init { atomic { run party(V); run party(P); run network() } }

/* No slot ever has two messages. */
ltl one_message { [] !forked }
/* Both parties come to the end. */
ltl both_finish { <> DONE }
