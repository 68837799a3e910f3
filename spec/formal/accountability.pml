/* The witness game: an honest party, a hostile one, an honest witness and a judge. See README.md.
 *
 * The hostile party may do anything: fall silent, withhold content, equivocate, break the protocol
 * provably, leave records with the witness at any time and in any slot, claim timeouts, and show the
 * judge any prefix of the record with any of the cosignatures. The honest party follows the draft and
 * reaches the witness before a deadline passes (the timeliness assumption). A crash of it, and whatever
 * the network does, is the hostile party's silence: an honest party writes down before it sends.
 *
 * HONEST=0: the prover is honest; HONEST=1: the verifier is.
 *
 * Slots 4..9 stand for a session from Accept on: P accept, V coin, P coin, V stop, V open, P end. The
 * verifier speaks twice in a row, as after Stop. Time is counted in deadlines: what the witness was
 * shown is young until the clock ticks, then due. Each `#ifdef` names a switch that breaks one rule.
 */
#ifndef HONEST
#define HONEST 0
#endif
#define FIRST 4
#define LAST 9
#define OWNER(s) ((s) == 5 || (s) == 7 || (s) == 8)
#define MINE(s) (OWNER(s) == HONEST)
#define HIS(s) (OWNER(s) != HONEST)

/* What the hostile party has shown the witness in a slot. */
#define NOTHING 0
#define SAME 1      /* the message that the honest party has there, or will take; young */
#define SAME_DUE 2
#define OTHER 3     /* a second message of its own in a slot of its own; young */
#define OTHER_DUE 4
#define LIE 5       /* a signed message whose predecessor nobody has; or one that no claim can rest on */
byte shown[10];
byte furthest = 0;   /* the highest slot of these: it voids claims of the honest party below */
byte top = FIRST;    /* the highest slot that the honest party has shown: it voids claims below */
bool top_due = true; /* the same starts a clock, where it is its turn again */
byte relayed = 0;    /* 1 young, 2 due: the journal's last message was shown by the honest party */
bool squatted = false;

mtype = { RUNNING, FINISHED, LEFT, LEFT_BY_HIM, FAULT, CLAIMED, CONTESTED };
mtype state = RUNNING;
byte length = FIRST;   /* messages in the honest party's journal */
bool settled = false;  /* its guardian looks no more */
bool framed = false;   /* a judge of some record holds the honest party for silent */
bool forked = false;   /* two messages that the honest party signed for one slot are about */
byte half_said = 0;    /* mutant: a message left before it was written down */

/* A chain that a judge accepts can lead to slot s: every slot of the honest party up to it is filled. */
#define SAID(s) (!MINE(s) || ((s) <= length && !(state == LEFT && (s) == length)))
#define CHAINS(s) (((s) < 5 || SAID(5)) && ((s) < 6 || SAID(6)) && ((s) < 7 || SAID(7)) && ((s) < 8 || SAID(8)))
#define FINAL_HERE(s) ((s) == length && (state == LEFT_BY_HIM || state == FAULT))

/* WIT-2: the honest party is held for silent after s only where it showed nothing above s. */
#ifdef CLAIMS_LOOK_AT_NEXT_SLOT_ONLY
#define NEXT_SLOT_ONLY true
#define ANSWERED(s) (top == (s) + 1)
#else
#define NEXT_SLOT_ONLY false
#define ANSWERED(s) (top > (s))
#endif
#define YOUNG_AT(s) (((shown[s] == SAME && !FINAL_HERE(s)) || shown[s] == OTHER))
#define DUE_AT(s) (((shown[s] == SAME_DUE && !FINAL_HERE(s)) || shown[s] == OTHER_DUE))
#define OPEN(s) (MINE((s) + 1) && CHAINS(s) && !ANSWERED(s))
#define THREAT(s) (OPEN(s) && (YOUNG_AT(s) || DUE_AT(s) || (top == (s) && MINE(s) && (s) > FIRST)))
#define CLAIMABLE(s) (OPEN(s) && (DUE_AT(s) || (top == (s) && MINE(s) && (s) > FIRST && top_due)))
#define THREATENED (THREAT(4) || THREAT(5) || THREAT(6) || THREAT(7) || THREAT(8))

/* The last message of its own journal that the honest party wrote. */
#define OWN_LAST ((length >= 9 && MINE(9)) -> 9 : ((length >= 8 && MINE(8)) -> 8 : \
	((length >= 7 && MINE(7)) -> 7 : ((length >= 6 && MINE(6)) -> 6 : \
	((length >= 5 && MINE(5)) -> 5 : 4)))))

byte own, n;

inline leave(slot) {
	if
#ifdef ONE_HEAD_A_SLOT_FOR_BOTH
	:: shown[slot] >= OTHER -> squatted = true
	:: shown[slot] < OTHER && slot > top -> top = slot; top_due = false
#else
	:: slot > top -> top = slot; top_due = false
#endif
	:: else
	fi
}

inline end(how) {
	state = how; relayed = 0;
#ifndef NO_LAST_WORD
	if :: how == FINISHED || how == LEFT -> own = OWN_LAST; leave(own) :: else fi
#endif
}

/* It writes its next message down, then sends it; or it ends the session at its turn. */
inline speak(aborts) {
	length++; relayed = 0;
	if
	:: aborts -> end(LEFT)
	:: !aborts && length == LAST -> end(FINISHED)
	:: else
	fi
}

/* Answer at the witness what stands there after s. */
inline answer(s) {
	if
	:: OWN_LAST > s -> own = OWN_LAST; leave(own)
	:: OWN_LAST <= s && state == RUNNING && s == length && HIS(s) && shown[s] >= OTHER ->
		own = s + 1; leave(own); length = own; end(LEFT) /* a fork where it has yet to speak: an Abort */
	:: OWN_LAST <= s && state == RUNNING && s == length && !(HIS(s) && shown[s] >= OTHER) ->
		speak(false); own = OWN_LAST; leave(own)
	:: OWN_LAST <= s && state == RUNNING && s > length -> /* known from the witness only: the pledge */
#ifdef PLEDGE_IS_FORGOTTEN
		forked = true; /* the content comes after all, and an answer leaves */
#endif
		length = s; shown[s] = SAME; speak(true)
	:: OWN_LAST <= s && state != RUNNING ->
#ifdef NO_PLEDGE_AFTER_THE_END
		settled = true
#else
		own = s + 1; leave(own) /* an Abort chained on what stands there, where it never spoke */
#endif
	fi
}

active proctype honest() {
	do
	:: d_step { state == RUNNING && length < LAST && MINE(length + 1) && !half_said ->
#ifdef SENDS_BEFORE_WRITING
		half_said = 1
#else
		speak(false)
#endif
	}
#ifdef SENDS_BEFORE_WRITING
	:: d_step { half_said == 1 -> half_said = 0; speak(false) }
	:: d_step { half_said == 1 -> half_said = 0; forked = true } /* a crash: it says something else */
#endif
	:: d_step { state == RUNNING && length < LAST && MINE(length + 1) && !half_said -> speak(true) }
	/* Its guardian: what a claim could rest on is answered before a deadline passes. */
#ifndef NO_GUARDIAN
	:: d_step { !settled && THREAT(4) -> answer(4) }
	:: d_step { !settled && THREAT(5) -> answer(5) }
	:: d_step { !settled && THREAT(6) -> answer(6) }
	:: d_step { !settled && THREAT(7) -> answer(7) }
	:: d_step { !settled && THREAT(8) -> answer(8) }
#endif
	/* The other is silent: the last message goes to the witness, whoever wrote it; then the claim. */
	:: d_step { state == RUNNING && length < LAST && HIS(length + 1) && !relayed && !squatted &&
#ifdef SHOWS_OWN_RECORDS_ONLY
	            MINE(length) &&
#endif
	            furthest <= length ->
		relayed = 1; if :: MINE(length) -> leave(length) :: else fi;
		if :: squatted -> relayed = 0 :: else fi }
#ifndef NEVER_CLAIMS
	:: d_step { state == RUNNING && length < LAST && HIS(length + 1) && relayed == 2 && furthest <= length ->
		end(CLAIMED) }
#endif
	/* The witness refuses its claim, and nothing there can be taken as the next message. */
	:: d_step { state == RUNNING && length < LAST && HIS(length + 1) && !THREATENED &&
	            (furthest > length || squatted) -> end(CONTESTED) }
	/* It goes home where nothing can be said after its own last word. */
	:: d_step { (state == FINISHED || state == LEFT
#ifdef GOES_HOME_AFTER_HIS_END
	            || state == LEFT_BY_HIM || state == FAULT
#endif
#ifdef GOES_HOME_AFTER_ITS_CLAIM
	            || state == CLAIMED
#endif
	            ) && !settled && !THREATENED -> settled = true }
	od
}

inline receive(how) {
	length++; relayed = 0;
	if
	:: how == FINISHED && length == LAST -> end(FINISHED)
	:: how != FINISHED -> end(how)
	:: else
	fi
}

/* It leaves something in slot s, where it has no other head yet. */
inline put(s) {
	if
	:: shown[s] == NOTHING && (s <= length || (HIS(s) && CHAINS(s))) -> shown[s] = SAME
	:: shown[s] == NOTHING && HIS(s) && CHAINS(s) -> shown[s] = OTHER
	:: shown[s] == NOTHING -> shown[s] = LIE
	:: else
	fi;
#ifdef LATE_STARTS_CLOCK
	skip;
#else
	if :: state == CLAIMED && s > length -> shown[s] = LIE :: else fi; /* late: it starts no clock */
#endif
	if :: shown[s] && s > furthest -> furthest = s :: else fi
}

active proctype hostile() {
	do
	:: d_step { true -> skip } /* it is never obliged to anything */
	/* On the stream: a good message, one that breaks the protocol provably, an Abort. */
	:: d_step { state == RUNNING && length < LAST && HIS(length + 1) -> receive(FINISHED) }
	:: d_step { state == RUNNING && length < LAST && HIS(length + 1) -> receive(FAULT) }
	:: d_step { state == RUNNING && length < LAST && HIS(length + 1) -> receive(LEFT_BY_HIM) }
	:: atomic { shown[4] == NOTHING -> put(4) } :: atomic { shown[5] == NOTHING -> put(5) } :: atomic { shown[6] == NOTHING -> put(6) }
	:: atomic { shown[7] == NOTHING -> put(7) } :: atomic { shown[8] == NOTHING -> put(8) } :: atomic { shown[9] == NOTHING -> put(9) }
	/* It claims, and shows the judge the record up to the head that it names. */
	:: d_step { CLAIMABLE(4) || CLAIMABLE(5) || CLAIMABLE(6) || CLAIMABLE(7) || CLAIMABLE(8) -> framed = true }
	od
}

active proctype clock() {
	do
#if defined(MISSES_DEADLINES) || defined(NO_GUARDIAN)
	:: d_step { true ->
#else
	:: d_step { settled || !THREATENED ->
#endif
		n = FIRST;
		do
		:: n <= LAST ->
			if
			:: shown[n] == SAME || shown[n] == OTHER -> shown[n]++
			:: else
			fi;
			/* What the honest party has spoken past carries no claim any more. */
			if :: n < top && shown[n] && !NEXT_SLOT_ONLY -> shown[n] = LIE :: else fi;
			n++
		:: else -> break
		od;
		n = 0; own = 0; top_due = true;
		if :: relayed == 1 -> relayed = 2 :: else fi }
	od
}

/* No honest party is ever blamed. */
ltl blameless { [] (!framed && !forked) }
/* The honest party's session always ends. */
ltl ends { <> (state != RUNNING) }
/* Where it ends with nobody blamed and nothing finished, the other has signed that there is more. */
ltl silence { [] (state == CONTESTED -> furthest > length) }
