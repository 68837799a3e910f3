% Secrecy in sealed mode, unbounded sessions: neither the network nor the other party learns weights or
% tests, and nobody but the verifier results, where the chamber that a release names is honest. "Satisfiable" after saturation: not derivable.
% A line that ends in "% only SWITCH" stands in that mutant or goal alone; "% unless SWITCH" not there.
%
% The honest chamber keeps one key pair `box` for all its sessions, which is less than the draft demands
% (a fresh pair a run): what is shown rests on what a release binds alone. It runs sessions under any
% terms; under terms `custody` its operator, who is hostile, reads what it opens. The honest parties
% release only under terms other than `custody`. A hostile party may use any chamber and any terms.

% -- what the attacker can do
cnf(pk, axiom, (~ i(K) | i(pk(K)))).
cnf(hpke_seal, axiom, (~ i(pk(K)) | ~ i(I) | ~ i(D) | i(hpke(pk(K), I, D)))).
cnf(hpke_open, axiom, (~ i(hpke(pk(K), I, D)) | ~ i(K) | i(D))).
cnf(aead_seal, axiom, (~ i(D) | ~ i(H) | ~ i(M) | i(aead(D, H, M)))).
cnf(aead_open, axiom, (~ i(aead(D, H, M)) | ~ i(D) | i(M))).
cnf(info, axiom, (i(grant(R, S, C, E, T)))).
cnf(header, axiom, (i(header(R, S, C)))).
cnf(own, axiom, (i(own))).
cnf(box_public, axiom, (i(pk(box)))).
cnf(fresh, axiom, (i(nonce(S)))).
cnf(first, axiom, (~ i(pair(A, B)) | i(A))).
cnf(second, axiom, (~ i(pair(A, B)) | i(B))).
cnf(opened, axiom, (~ i(mac(K, M)) | ~ i(K) | i(M))).
cnf(bit_keys, axiom, (~ i(result_seed(S)) | i(bit_key(S)))).

% -- sealed content is anywhere: the weights of the honest prover, the tests of the honest verifier
cnf(sealed_weights, axiom, (i(aead(data_key(prover, S), header(prover, S, claim), weights)))).
cnf(sealed_tests, axiom, (i(aead(data_key(verifier, S), header(verifier, S, root), pair(tests, result_seed(S)))))).

% -- releases: to keys whose evidence was appraised, in a session whose terms are the party's own
cnf(appraised, axiom, (appraised(pk(box)))).
cnf(simulated, axiom, (appraised(pk(own)))).  % only ACCEPTS_SIMULATED_EVIDENCE
cnf(any_key, axiom, (~ i(pk(K)) | appraised(pk(K)))).  % only RELEASES_BEFORE_APPRAISAL
cnf(release_p, axiom, (~ appraised(PK) | i(hpke(PK, grant(prover, S, claim, keys(PK, S), closed), data_key(prover, S))))).
cnf(release_v, axiom, (~ appraised(PK) | i(hpke(PK, grant(verifier, S, root, keys(PK, S), closed), data_key(verifier, S))))).
cnf(one_data_key, axiom, (~ i(data_key(verifier, S)) | i(data_key(prover, S)))).  % only ONE_DATA_KEY_FOR_BOTH
cnf(lent, axiom, (i(data_key(verifier, lent)))).  % only ONE_DATA_KEY_FOR_BOTH

% -- the honest chamber opens a key under the grant of its own session and terms, and content under it
cnf(custody, axiom, (~ i(hpke(pk(box), grant(R, S, C, keys(pk(box), S), custody), D)) | ~ i(aead(D, header(R, S, C), M)) | i(M))).  % unless WRAPS_WITHOUT_BINDING
cnf(custody_unbound, axiom, (~ i(hpke(pk(box), I, D)) | ~ i(aead(D, H, M)) | i(M))).  % only WRAPS_WITHOUT_BINDING

% -- what leaves it otherwise: counts, and a root over salted result bits
cnf(receipt, axiom, (i(count(weights, tests, S)))).
cnf(bits, axiom, (i(mac(bit_key(S), bits(weights, tests))))).
cnf(handed_over, axiom, (i(aead(result_seed(S), header(chamber, S, results_root), bits(weights, tests))))).
cnf(clear, axiom, (i(bits(weights, tests)))).  % only HANDS_OVER_IN_THE_CLEAR
cnf(one_seed, axiom, (i(result_seed(S)))).  % only SEED_IS_THE_CHAMBERS
cnf(loud, axiom, (i(tests))).  % only OUTPUT_IS_UNBOUNDED

% -- goals
cnf(weights_secret, negated_conjecture, (~ i(weights))).  % only GOAL_WEIGHTS
cnf(tests_secret, negated_conjecture, (~ i(tests))).  % only GOAL_TESTS
cnf(results_secret, negated_conjecture, (~ i(bits(weights, tests)))).  % only GOAL_RESULTS
cnf(key_secret, negated_conjecture, (~ i(data_key(prover, s0)))).  % only GOAL_WEIGHTS
% must be derivable, or the model shows nothing: content released under custody is read
cnf(release_custody, axiom, (i(hpke(pk(box), grant(verifier, s1, root, keys(pk(box), s1), custody), data_key(verifier, s1))))).  % only GOAL_CUSTODY
cnf(custody_reads, negated_conjecture, (~ i(tests))).  % only GOAL_CUSTODY
