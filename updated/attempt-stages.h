/*
 * The stages of an attempt, for the table in attempt.c. None knows its neighbours.
 */
#pragma once

#include "attempt.h"
#include "omaha-request.h"

int attempt_flush_events(Attempt *attempt) _must_check_;
int attempt_ask(Attempt *attempt) _must_check_;
int attempt_decide(Attempt *attempt) _must_check_;
int attempt_take_source(Attempt *attempt) _must_check_;
int attempt_prepare(Attempt *attempt) _must_check_;
int attempt_fetch(Attempt *attempt) _must_check_;
int attempt_packages(Attempt *attempt) _must_check_;
int attempt_postinst(Attempt *attempt) _must_check_;
int attempt_activate(Attempt *attempt) _must_check_;

/* What of the answer belongs beside the payload; part of attempt_decide(). */
int attempt_plan_packages(Attempt *attempt) _must_check_;

/* As whom the worker runs, or NULL: as we do. */
const char *attempt_worker_user(const Attempt *attempt);

/* A stage that returned 0 ends with this: r > 0 done, < 0 failed. The attempt must not be touched afterwards. */
void attempt_stage_done(Attempt *attempt, int r);
void attempt_set_status(Attempt *attempt, UpdateStatus status);

/* An error event about another failure than the attempt's own. */
void attempt_report_failure(Attempt *attempt, OmahaEventResult result,
                            const UpdateFailure *failure);

/* The plan is made: has it to wait, which addresses are tried? Returns 0, or 1 with attempt->reason set. */
int attempt_heed_retries(Attempt *attempt) _must_check_;

/* The payload's worker is through: what it found out about the addresses. */
void attempt_judge_urls(Attempt *attempt, const WorkerFacts *facts);

/* The attempt has failed. What is remembered of that is durable on return, or that it is not is logged. */
void attempt_note_retries(Attempt *attempt);

/* Queues an event about this attempt; that it can not be queued is logged, and stops nothing. */
void attempt_report(Attempt *attempt, OmahaEventType type, OmahaEventResult result);
