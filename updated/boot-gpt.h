/*
 * The attribute bits of ChromeOS and Flatcar in the partition table: what they have to be. Nothing is written.
 */
#pragma once

#include "slots.h"

/* Of the target: no priority, no tries, not good. */
void boot_gpt_set_unselectable(Slots *slots);

/* Highest priority for the target, the others of its kind behind it in their order. */
void boot_gpt_set_next(Slots *slots, unsigned tries);

/* Of the running slot: good without tries; or never to be taken again. */
void boot_gpt_set_running_good(Slots *slots);
void boot_gpt_set_running_bad(Slots *slots);

/* The states of both slots, from the bits that are in memory. */
void boot_gpt_take_states(Slots *slots);
