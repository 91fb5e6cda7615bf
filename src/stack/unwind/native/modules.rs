//! The program and its libraries, with the unwind tables that they carry.

use std::borrow::Cow;
use std::ops::Range;

use framehop::{
    ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, Unwinder as _, UnwinderNative,
};
use gimli::{BaseAddresses, EhFrameHdr, LittleEndian, Pointer};

/// Tables of the program itself are read where they are; those of a library,
/// which may be unloaded, from a copy.
pub(super) type Table = Cow<'static, [u8]>;

pub(super) type Unwinder = UnwinderNative<Table, MayAllocateDuringUnwind>;

/// What was loaded when this was made.
pub(super) struct Modules {
    pub(super) unwinder: Unwinder,
    /// The addresses of each module whose tables are known.
    ranges: Vec<Range<u64>>,
    /// How often anything had been loaded or unloaded by then.
    changes: u64,
}

impl Modules {
    /// What is loaded now. Takes some 50 µs.
    pub(super) fn loaded() -> Modules {
        Modules::loaded_with(|table| table)
    }

    /// The same, with each table as `read` gives it back.
    pub(super) fn loaded_with(mut read: impl FnMut(Table) -> Table) -> Modules {
        let mut modules = Modules {
            unwinder: Unwinder::new(),
            ranges: Vec::new(),
            changes: 0,
        };
        each_object(|object| {
            modules.changes = object.changes;
            if let Some(module) = object.module(&mut read) {
                modules.ranges.push(object.range());
                modules.unwinder.add_module(module);
            }
            true
        });
        modules
    }

    /// Whether an address lies in one of them.
    pub(super) fn have(&self, address: u64) -> bool {
        self.ranges.iter().any(|range| range.contains(&address))
    }

    /// An address in one of them. `random` gives a number below its argument.
    #[cfg(test)]
    pub(super) fn some_address(&self, mut random: impl FnMut(u64) -> u64) -> u64 {
        let range = &self.ranges[random(self.ranges.len() as u64) as usize];
        range.start + 1 + random(range.end - range.start - 1)
    }

    /// Whether something was loaded or unloaded since.
    pub(super) fn are_stale(&self) -> bool {
        let mut changes = self.changes;
        each_object(|object| {
            changes = object.changes;
            false
        });
        changes != self.changes
    }
}

/// Whether an address lies in the program itself, and in none of its libraries.
pub(crate) fn is_in_program(address: u64) -> bool {
    let mut is_in = false;
    each_object(|program| {
        is_in = program.range().contains(&address);
        false
    });
    is_in
}

/// A loaded object, while the loader shows it.
struct Object<'a> {
    is_program: bool,
    base: u64,
    headers: &'a [libc::Elf64_Phdr],
    changes: u64,
}

impl Object<'_> {
    fn segments(&self) -> impl Iterator<Item = Range<u64>> {
        let loaded = self
            .headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD);
        loaded.map(|header| self.addresses(header))
    }

    fn addresses(&self, header: &libc::Elf64_Phdr) -> Range<u64> {
        let start = self.base.wrapping_add(header.p_vaddr);
        start..start.saturating_add(header.p_memsz)
    }

    /// From its first to its last byte.
    fn range(&self) -> Range<u64> {
        let start = self
            .segments()
            .map(|segment| segment.start)
            .min()
            .unwrap_or(0);
        let end = self
            .segments()
            .map(|segment| segment.end)
            .max()
            .unwrap_or(0);
        start..end
    }

    fn module(&self, read: &mut dyn FnMut(Table) -> Table) -> Option<Module<Table>> {
        let header = self
            .headers
            .iter()
            .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)?;
        let index = self.addresses(header);
        let index_table = self.table(&index)?;
        let start = frames_start(&index_table, index.start)?;
        // Their length is nowhere; they end with a mark, at the latest with the
        // segment.
        let frames = start
            ..self
                .segments()
                .find(|segment| segment.contains(&start))?
                .end;
        let frames_table = self.table(&frames)?;
        let relative = |range: Range<u64>| {
            range.start.wrapping_sub(self.base)..range.end.wrapping_sub(self.base)
        };
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            eh_frame_svma: Some(relative(frames)),
            eh_frame: Some(read(frames_table)),
            eh_frame_hdr_svma: Some(relative(index)),
            eh_frame_hdr: Some(read(index_table)),
            ..ExplicitModuleSectionInfo::default()
        };
        Some(Module::new(
            String::new(),
            self.range(),
            self.base,
            sections,
        ))
    }

    /// The bytes of a table in it, if it is all in one readable segment.
    #[allow(unsafe_code)]
    fn table(&self, addresses: &Range<u64>) -> Option<Table> {
        let readable = |header: &&libc::Elf64_Phdr| {
            let segment = self.addresses(header);
            header.p_type == libc::PT_LOAD
                && header.p_flags & libc::PF_R != 0
                && header.p_flags & libc::PF_W == 0
                && segment.start <= addresses.start
                && addresses.end <= segment.end
        };
        self.headers.iter().find(readable)?;
        let start = std::ptr::with_exposed_provenance::<u8>(addresses.start as usize);
        let length = (addresses.end - addresses.start) as usize;
        // SAFETY: the bytes lie in a segment that is loaded (the loader shows it
        // right now and holds its lock), readable, and never written.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(start, length) };
        // The program itself is never unloaded. Anything else is copied while the
        // loader's lock keeps it there.
        Some(if self.is_program {
            Cow::Borrowed(bytes)
        } else {
            Cow::Owned(bytes.to_vec())
        })
    }
}

/// Where the frame table is that an index belongs to.
fn frames_start(index: &[u8], address: u64) -> Option<u64> {
    let bases = BaseAddresses::default().set_eh_frame_hdr(address);
    let parsed = EhFrameHdr::new(index, LittleEndian).parse(&bases, 8).ok()?;
    match parsed.eh_frame_ptr() {
        Pointer::Direct(start) => Some(start),
        Pointer::Indirect(_) => None,
    }
}

/// Calls `each` for every loaded object, the program first, until it says no.
#[allow(unsafe_code)]
fn each_object(mut each: impl FnMut(&Object<'_>) -> bool) {
    struct Calls<'a> {
        each: &'a mut dyn FnMut(&Object<'_>) -> bool,
        is_program: bool,
    }

    unsafe extern "C" fn call(
        info: *mut libc::dl_phdr_info,
        _size: libc::size_t,
        calls: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the loader gives a valid `info`, whose headers are as many as it
        // says, for the time of this call; `calls` is what was given to
        // `dl_iterate_phdr` below, which nobody else uses meanwhile.
        let (info, calls) = unsafe { (&*info, &mut *calls.cast::<Calls<'_>>()) };
        let headers = if info.dlpi_phdr.is_null() {
            &[]
        } else {
            // SAFETY: as above.
            unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) }
        };
        let object = Object {
            is_program: std::mem::take(&mut calls.is_program),
            base: info.dlpi_addr,
            headers,
            changes: info.dlpi_adds.wrapping_add(info.dlpi_subs),
        };
        libc::c_int::from(!(calls.each)(&object))
    }

    let mut calls = Calls {
        each: &mut each,
        is_program: true,
    };
    // SAFETY: `call` has the signature that is asked for, and `calls` outlives this
    // call. `each` is ours and does not unwind: what it does is arithmetic on
    // checked ranges and allocation.
    unsafe {
        libc::dl_iterate_phdr(Some(call), std::ptr::from_mut(&mut calls).cast());
    }
}
