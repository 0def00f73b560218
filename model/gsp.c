// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The GSP's firmware from outside: it reads the arguments it was left, writes
 * its logs, links the queues, says that it is up, answers doorbells, unloads.
 * Arguments: OGK src/common/uproc/os/common/include/libos_init_args.h.
 */
#include "model/model.h"
#include "model/rpc.h"

#define LIBOS_ARGS_BYTES      4096
#define LIBOS_ARG_BYTES	      32
#define LIBOS_KIND_CONTIGUOUS 1
#define LIBOS_LOC_SYSMEM      1
#define GSP_PAGE	      4096

#define BOOT_NS	  (20 * SCALE_MS)
#define ANSWER_NS (20 * SCALE_US)

/* What the GSP leaves in MAILBOX0 once it is done: nvkm gsp/rm/r535/gsp.c. */
#define MAILBOX_UNLOADED 0x80000000

static const char *const log_name[] = {"LOGINIT", "LOGINTR", "LOGRM"};

static uint64_t id8(const char *name)
{
	uint64_t id = 0;

	while (*name)
		id = id << 8 | (uint8_t)*name++;
	return id;
}

/* A name as text, for the log only. */
static void id8_text(uint64_t id, char text[9])
{
	unsigned int n = 0;
	int shift;

	for (shift = 56; shift >= 0; shift -= 8)
		if (g_ascii_isprint(id >> shift & 0xff))
			text[n++] = id >> shift & 0xff;
	text[n] = '\0';
}

static bool take_log(GpuModel *m, unsigned int which, uint64_t pa, uint64_t bytes)
{
	uint64_t first;

	/* Word 0 is where it is written next, then come its pages' addresses. */
	if (!model_dma_read(m, pa + 8, &first, sizeof(first)))
		return false;
	if (le64_to_cpu(first) != pa) {
		model_refuse(m, "libos", "%s does not begin with its own address",
			     log_name[which]);
		return false;
	}
	m->log_pa[which] = pa;
	m->log_bytes[which] = bytes;
	return true;
}

/* model_gsp_log: one word to a log; put pointer, then the word itself. */
void model_gsp_log(GpuModel *m, unsigned int which, uint64_t word)
{
	uint64_t put;

	if (!m->log_pa[which] ||
	    !model_dma_read(m, m->log_pa[which], &put, sizeof(put)))
		return;
	put = le64_to_cpu(put);
	if (put < 1 || put >= m->log_bytes[which] / 8)
		put = 1;
	word = cpu_to_le64(word);
	model_dma_write(m, m->log_pa[which] + put * 8, &word, sizeof(word));
	put = cpu_to_le64(put + 1);
	model_dma_write(m, m->log_pa[which], &put, sizeof(put));
}

static bool take_arguments(GpuModel *m)
{
	uint8_t args[LIBOS_ARGS_BYTES];
	unsigned int at, which;
	uint64_t rmargs_pa = 0, rmargs_bytes = 0;

	if (m->libos_args_pa % GSP_PAGE ||
	    !model_dma_read(m, m->libos_args_pa, args, sizeof(args))) {
		model_refuse(m, "libos", "no arguments at %" PRIx64,
			     m->libos_args_pa);
		return false;
	}
	for (at = 0; at + LIBOS_ARG_BYTES <= sizeof(args); at += LIBOS_ARG_BYTES) {
		uint64_t id = ldq_le_p(args + at), pa = ldq_le_p(args + at + 8);
		uint64_t bytes = ldq_le_p(args + at + 16);
		char text[9];

		if (!id)
			break;
		id8_text(id, text);
		if (at == 0 && id != id8(log_name[0])) {
			model_refuse(m, "libos",
				     "the first argument is %s, not LOGINIT",
				     text);
			return false;
		}
		if (args[at + 24] != LIBOS_KIND_CONTIGUOUS ||
		    args[at + 25] != LIBOS_LOC_SYSMEM || pa % GSP_PAGE ||
		    !bytes || bytes % GSP_PAGE) {
			model_refuse(
				m, "libos",
				"%s: kind %u, place %u, %" PRIx64 " + %" PRIx64,
				text, args[at + 24], args[at + 25], pa, bytes);
			return false;
		}
		if (id == id8("RMARGS")) {
			rmargs_pa = pa;
			rmargs_bytes = bytes;
		}
		for (which = 0; which < ARRAY_SIZE(log_name); which++)
			if (id == id8(log_name[which]) &&
			    !take_log(m, which, pa, bytes))
				return false;
	}
	if (!rmargs_pa) {
		model_refuse(m, "libos", "there is no RMARGS");
		return false;
	}
	return model_msgq_link(m, rmargs_pa, rmargs_bytes);
}

/*
 * While it comes up the firmware has the driver access registers: OGK
 * src/nvidia/arch/nvalloc/common/inc/rmgspseq.h. Which ones a real one asks for
 * is its own; the model asks for what shows that a program is run to its end.
 */
enum { SEQ_WRITE, SEQ_MODIFY, SEQ_POLL, SEQ_DELAY_US, SEQ_STORE };

#define SEQ_REGISTER	  (PBUS_SW_SCRATCH + SEQ_SCRATCH * 4)
#define SEQ_SCRATCH	  62
#define SEQ_FIRST	  0x0ad10200
#define SEQ_LAST	  0x0ad1025a
#define SEQ_SAVE_WORDS	  8
#define SEQ_HEADER_WORDS  (2 + SEQ_SAVE_WORDS)
#define SEQ_LIMIT_NS	  (4ll * NANOSECONDS_PER_SECOND)
#define SEQ_LOOK_AGAIN_NS (1 * SCALE_MS)

static void send_sequencer(GpuModel *m)
{
	static const struct {
		uint32_t words, word[6];
	} program[] = {
		{3, {SEQ_WRITE, SEQ_REGISTER, SEQ_FIRST}},
		{4, {SEQ_MODIFY, SEQ_REGISTER, 0xff, SEQ_LAST & 0xff}},
		{2, {SEQ_DELAY_US, 10}},
		{6, {SEQ_POLL, SEQ_REGISTER, 0xffffffff, SEQ_LAST, 1000, 1}},
		{3, {SEQ_STORE, SEQ_REGISTER, 0}},
	};
	uint8_t event[(SEQ_HEADER_WORDS + 6 * ARRAY_SIZE(program)) * 4] = {0};
	uint8_t *p = event + SEQ_HEADER_WORDS * 4;
	unsigned int i, j, used = 0;

	for (i = 0; i < ARRAY_SIZE(program); i++)
		for (j = 0; j < program[i].words; j++, used++, p += 4)
			stl_le_p(p, program[i].word[j]);
	stl_le_p(event, 6 * ARRAY_SIZE(program)); /* room, and how much is used */
	stl_le_p(event + 4, used);
	m->scratch[SEQ_SCRATCH] = 0;
	m->sequencer_end = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + SEQ_LIMIT_NS;
	model_msgq_send(m, RPC_EVENT_RUN_CPU_SEQUENCER, 0, 0, event,
			sizeof(event));
}

static void init_done(GpuModel *m)
{
	m->sequencer_end = 0;
	m->gsp.riscv_irqmask = FALCON_IRQ_SWGEN0 | FALCON_IRQ_HALT;
	model_gsp_log(m, 2, m->fb_size);
	model_msgq_send(m, RPC_EVENT_GSP_INIT_DONE, 0, 0, NULL, 0);
	model_log(m, "rm", "INIT_DONE");
}

static void wait_for_sequencer(GpuModel *m)
{
	int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

	if (m->scratch[SEQ_SCRATCH] == SEQ_LAST) {
		init_done(m);
	} else if (now > m->sequencer_end) {
		model_refuse(m, "rm", "the sequencer's program was not run");
		m->sequencer_end = 0;
		m->rm_running = false;
	} else {
		timer_mod(m->rm_timer, now + SEQ_LOOK_AGAIN_NS);
	}
}

/* It wakes with all that it had: only the driver's arguments are looked at. */
static void wake_up(GpuModel *m)
{
	m->rm_waking = false;
	if (!model_suspend_wake(m))
		return;
	m->rm_running = true;
	init_done(m);
	model_msgq_serve(m);
}

static void come_up(GpuModel *m)
{
	m->rm_starting = false;
	if (!take_arguments(m))
		return;
	model_gsp_log(m, 0, m->libos_args_pa);
	m->rm_running = true;
	model_rm_init(m);
	/* What was queued before the GSP ran comes first. */
	model_msgq_serve(m);
	if (!m->have_system_info || !m->have_registry) {
		model_refuse(
			m, "rm",
			"no GSP_SET_SYSTEM_INFO or SET_REGISTRY before the start");
		m->rm_running = false;
		return;
	}
	send_sequencer(m);
	wait_for_sequencer(m);
}

static void work(void *opaque)
{
	GpuModel *m = opaque;

	if (m->rm_waking)
		wake_up(m);
	else if (m->rm_starting)
		come_up(m);
	else if (m->sequencer_end)
		wait_for_sequencer(m);
	else if (m->rm_running)
		model_msgq_serve(m);
}

static void start_timer(GpuModel *m)
{
	m->gsp.riscv_active = true;
	if (!m->rm_timer)
		m->rm_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, work, m);
	timer_mod(m->rm_timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + BOOT_NS);
}

/* The firmware comes back out of what a suspend saved. */
void model_gsp_wake(GpuModel *m)
{
	m->rm_waking = true;
	start_timer(m);
}

void model_gsp_start(GpuModel *m)
{
	model_gsp_stop(m);
	m->libos_args_pa = (uint64_t)m->gsp.regs[FALCON_MAILBOX1 / 4] << 32 |
			   m->gsp.regs[FALCON_MAILBOX0 / 4];
	m->rm_starting = true;
	start_timer(m);
}

/* The firmware sleeps: it runs no more, and keeps what it has. */
void model_gsp_sleep(GpuModel *m)
{
	if (m->rm_timer)
		timer_del(m->rm_timer);
	if (m->gsp.riscv_active)
		m->gsp.regs[FALCON_MAILBOX0 / 4] = MAILBOX_UNLOADED;
	m->gsp.riscv_active = false;
	m->gsp.riscv_irqmask = 0;
	m->rm_starting = m->rm_waking = m->rm_running = false;
	m->sequencer_end = 0;
}

/* The firmware ends: unloaded, or its engine reset under it. */
void model_gsp_stop(GpuModel *m)
{
	model_gsp_sleep(m);
	memset(&m->suspend, 0, sizeof(m->suspend));
	m->have_system_info = m->have_registry = m->sriov_mode = false;
	memset(m->log_pa, 0, sizeof(m->log_pa));
	model_rpc_forget_late(m);
	model_rm_finish(m);
	model_msgq_unlink(m);
}

/* The firmware halts where it is, and answers nothing more. */
void model_gsp_crash(GpuModel *m)
{
	model_log(m, "rm", "the firmware crashed");
	model_gsp_log(m, 0, 0xdead);
	m->rm_running = false;
	m->gsp.riscv_active = false;
	model_falcon_raise(&m->gsp, FALCON_IRQ_HALT);
}

void model_gsp_doorbell(GpuModel *m)
{
	/* Before it runs, the firmware will look at the queue by itself. */
	if (m->rm_running && !timer_pending(m->rm_timer))
		timer_mod(m->rm_timer,
			  qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + ANSWER_NS);
}
