% Secrecy in open mode, unbounded sessions and items: what a Dolev-Yao attacker who owns the network and
% plays the other party can learn (predicate i). "Satisfiable" after saturation: the goal cannot be derived.
% A line that ends in "% only SWITCH" stands in that mutant or goal alone; "% unless SWITCH" not there.
%
% Pessimistic: all content can be guessed. Whoever has a commitment and its key has what it hides.
% c(S): an item that session S challenges. u: an item that no session does. S, the session, is any term.

% -- what the attacker can do
cnf(mac, axiom, (~ i(K) | ~ i(X) | i(mac(K, X)))).
cnf(guess, axiom, (~ i(mac(K, X)) | ~ i(K) | i(X))).
cnf(bare_guess, axiom, (~ i(bare(X)) | i(X))).
cnf(hash, axiom, (~ i(X) | i(h(X)))).
cnf(name, axiom, (i(sid(S)))).
cnf(fields, axiom, (i(prompt) )).
cnf(fields2, axiom, (i(reference))).
cnf(own_key, axiom, (i(own))).

% -- keys of items: leaves of a tree of seeds; whoever has a node has what is below it
cnf(seed_down, axiom, (~ i(root(F)) | i(key(F, I)))).
cnf(root_of_master, axiom, (~ i(master) | ~ i(F) | i(root(F)))).
cnf(node_down, axiom, (~ i(node(F, S)) | i(key(F, c(S))))).

% -- the verifier's set: every commitment is public
cnf(leaf_p, axiom, (i(mac(key(prompt, I), text(prompt, I))))).  % unless COMMITS_WITHOUT_A_KEY
cnf(leaf_r, axiom, (i(mac(key(reference, I), text(reference, I))))).  % unless COMMITS_WITHOUT_A_KEY
cnf(bare_p, axiom, (i(bare(text(prompt, I))))).  % only COMMITS_WITHOUT_A_KEY
cnf(bare_r, axiom, (i(bare(text(reference, I))))).  % only COMMITS_WITHOUT_A_KEY
cnf(salts, axiom, (i(root(F)))).  % only PUBLISHES_SALTS
cnf(one_key, axiom, (~ i(key(prompt, I)) | i(key(reference, I)))).  % only ONE_KEY_FOR_BOTH_FIELDS
cnf(same_key, axiom, (~ i(key(F, c(S))) | i(key(F, I)))).  % only ONE_KEY_FOR_ALL_ITEMS

% -- a session: coin commitments, then coins, then prompts, then references
cnf(commit_v, axiom, (i(mac(coin_key(S), coin(S))))).
cnf(accept, axiom, (accepted(sid(S)))).  % unless GOAL_COIN
cnf(coin_v, axiom, (~ accepted(sid(S)) | i(coin(S)))).  % unless COIN_BEFORE_ACCEPT
cnf(coin_v_early, axiom, (i(coin(S)))).  % only COIN_BEFORE_ACCEPT
cnf(coin_v_key, axiom, (~ accepted(sid(S)) | i(coin_key(S)))).
cnf(challenge, axiom, (~ accepted(sid(S)) | i(node(prompt, S)))).
cnf(open, axiom, (~ accepted(sid(S)) | i(node(reference, S)))).  % unless GOAL_REFERENCE

% -- the prover: a claim under a key, outputs that any verifier may ask for
cnf(claim, axiom, (i(mac(claim_key, manifest(weights))))).  % unless CLAIM_IS_A_BARE_DIGEST
cnf(bare_claim, axiom, (i(bare(manifest(weights))))).  % only CLAIM_IS_A_BARE_DIGEST
cnf(recognise, axiom, (~ i(manifest(X)) | i(X))).
cnf(answer, axiom, (~ i(X) | i(out(weights, X, S)))).
cnf(answer_commitment, axiom, (~ i(X) | i(mac(out_key(S, X), out(weights, X, S))))).

% -- goals
cnf(unopened_prompt, negated_conjecture, (~ i(text(prompt, u)))).  % only GOAL_UNOPENED
cnf(unopened_reference, negated_conjecture, (~ i(text(reference, u)))).  % only GOAL_UNOPENED
cnf(early_reference, negated_conjecture, (~ i(text(reference, c(s0))))).  % only GOAL_REFERENCE
cnf(weights_secret, negated_conjecture, (~ i(weights))).  % only GOAL_WEIGHTS
cnf(coin_secret, negated_conjecture, (~ i(coin(s0)))).  % only GOAL_COIN
% must be derivable, or the model shows nothing: a challenged prompt is learnt
cnf(opened_prompt, negated_conjecture, (~ i(text(prompt, c(s0))))).  % only GOAL_OPENED
