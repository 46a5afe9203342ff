//! The layouts as wholes; the bits of each are tested in its own file.

use proptest::prelude::*;

use super::*;

/// Makes a layout for the server with this id.
type OfServer = fn(u32) -> Result<Layout, LayoutError>;

const OF_SERVERS: [(OfServer, u32); 5] = [
    (Layout::oceanbase, 4_095),
    (Layout::oceanbase_older, 32_767),
    (Layout::tidb, 2_047),
    (Layout::tidb64, 4_194_303),
    (Layout::odp, 255),
];

fn local(pool: Pool, number: u64) -> Local {
    Local { pool, number }
}

/// Any layout there is, whole or with one of the changes to it.
fn layout() -> impl Strategy<Value = Layout> {
    let whole = prop_oneof![
        Just(Layout::plain32()),
        (1..1_000_u64, 0..1_000_u64).prop_map(|(first, more)| Layout::range(first, first + more).unwrap()),
        (0..OF_SERVERS.len(), any::<u32>()).prop_map(|(family, server)| {
            let (of_server, greatest) = OF_SERVERS[family];
            of_server(1 + server % greatest).unwrap()
        }),
    ];
    (whole, any::<u64>(), 0..3).prop_map(|(layout, ids, change)| match change {
        0 => layout.pool_of(1 + ids % layout.main.size()).unwrap(),
        1 => layout.keep_bit_31_clear().unwrap_or(layout),
        _ => layout,
    })
}

/// A number of `layout`.
fn local_of(layout: &Layout, spare: bool, number: u64) -> Local {
    match layout.spare {
        Some(span) if spare => local(Pool::Spare, span.round(number)),
        _ => local(Pool::Main, layout.main.round(number)),
    }
}

proptest! {
    #[test]
    fn decode_undoes_encode(layout in layout(), spare: bool, number: u64) {
        let local = local_of(&layout, spare, number);
        let id = layout.encode(local);
        prop_assert_ne!(id.get(), 0);
        prop_assert_eq!(layout.decode(id), Some(local));
        prop_assert_eq!(layout.read(id.get()), Reading::Ours);
        prop_assert_eq!(layout.server_of(id), layout.server());
    }

    #[test]
    fn what_is_not_ours_is_no_local_number(layout in layout(), id in prop_oneof![any::<u64>(), any::<u32>().prop_map(u64::from)]) {
        let id = SessionId::new(id);
        if let Some(local) = layout.decode(id) {
            let own = layout.encode(local);
            prop_assert!(own == id || layout.connection_id(own) == id);
        }
        if layout.read(id.get()) != Reading::Ours {
            prop_assert_eq!(layout.decode(id), None);
        }
    }

    /// Two servers whose ids have one layout, or TiDB's two: no id of the one is the other's, and each knows whose it is.
    #[test]
    fn no_id_of_one_server_is_anothers(
        families in prop::sample::select(vec![(0, 0), (1, 1), (2, 2), (3, 3), (2, 3), (3, 2), (4, 4)]),
        servers: (u32, u32),
        spare: bool,
        number: u64,
    ) {
        let of = |family: usize, server: u32| (OF_SERVERS[family].0)(1 + server % OF_SERVERS[family].1).unwrap();
        let (one, other) = (of(families.0, servers.0), of(families.1, servers.1));
        prop_assume!(one.server() != other.server());
        let id = one.encode(local_of(&one, spare, number));
        prop_assert_eq!(other.decode(id), None);
        prop_assert_eq!(other.read(id.get()), Reading::OfServer(one.server().unwrap()));
        prop_assert_eq!(other.server_of(id), one.server());
    }

    /// Of one server's, even for the same local number.
    #[test]
    fn tidbs_ids_of_32_and_of_64_bits_are_different(server in 1..=2_047_u32, short in 1..=1_048_575_u64, long: u64) {
        let layout = Layout::tidb(server).unwrap();
        let long = layout.spare.unwrap().round(long);
        let short = layout.encode(local(Pool::Main, short)).get();
        for long in [long, short >> 1 & 0xF_FFFF] {
            let long = layout.encode(local(Pool::Spare, long)).get();
            prop_assert_ne!(short, long);
            prop_assert_ne!(short, long & 0xFFFF_FFFF, "nor is the half that the greeting carries another's id");
            prop_assert_eq!(layout.read(long & 0xFFFF_FFFF), Reading::Truncated);
        }
    }

    /// As the greeting carries it.
    #[test]
    fn bit_31_is_clear_where_it_is_to_be(layout in layout(), spare: bool, number: u64) {
        if let Ok(layout) = layout.keep_bit_31_clear() {
            let id = layout.encode(local_of(&layout, spare, number)).get();
            prop_assert_eq!(id >> 31 & 1, 0);
        }
    }
}

#[test]
fn server_ids_have_bounds() {
    for (of_server, greatest) in OF_SERVERS {
        let zero = of_server(0).is_ok();
        assert_eq!(zero, greatest == 255, "a proxy may have none");
        for (server, fits) in [(0, zero), (1, true), (greatest, true), (greatest + 1, false), (u32::MAX, false)] {
            assert_eq!(of_server(server).ok().and_then(|layout| layout.server()), fits.then_some(server));
        }
    }
    assert_eq!(
        Layout::tidb(2_048).unwrap_err().to_string(),
        "TiDB's layout of 32 bits has room for the server ids 1 to 2047, not for 2048"
    );
    assert_eq!(Layout::plain32().server(), None);
}

#[test]
fn each_layout_has_its_size() {
    for (layout, size) in [
        (Layout::plain32(), 4_294_967_295),
        (Layout::range(5, 9).unwrap(), 5),
        (Layout::range(1, u64::MAX).unwrap(), u64::MAX),
        (Layout::oceanbase(1).unwrap(), 262_143),
        (Layout::oceanbase_older(1).unwrap(), 65_535),
        (Layout::odp(0).unwrap(), 2_097_151),
        (Layout::tidb(1).unwrap(), 1_048_575 + 1_099_511_627_575),
        (Layout::tidb(1).unwrap().pool_of(15).unwrap(), 15 + 1_099_511_627_575),
        (Layout::tidb64(1).unwrap(), 1_099_511_627_575),
        (Layout::tidb64(1).unwrap().pool_of(15).unwrap(), 15),
    ] {
        assert_eq!(layout.size(), size, "{layout:?}");
    }
    assert_eq!(Layout::default(), Layout::plain32());
}

#[test]
fn ranges_and_pools_have_bounds() {
    for (first, last) in [(0, 9), (0, 0), (9, 8)] {
        assert_eq!(Layout::range(first, last), Err(LayoutError::Range { first, last }));
    }
    for (ids, pool) in [(0, None), (1, Some(1)), (5, Some(5)), (6, None)] {
        assert_eq!(Layout::range(5, 9).unwrap().pool_of(ids).ok().map(|layout| layout.size()), pool);
    }
    let greatest = Layout::range(u64::MAX, u64::MAX).unwrap();
    assert_eq!(greatest.pool_of(1), Ok(greatest));
}

#[test]
fn what_keeping_bit_31_clear_leaves() {
    let size = |layout: Layout| layout.keep_bit_31_clear().map(|layout| layout.size());
    assert_eq!(size(Layout::plain32()), Ok(2_147_483_647));
    assert_eq!(size(Layout::range(5, 9).unwrap()), Ok(5));
    assert_eq!(size(Layout::range(2_147_483_647, u64::MAX).unwrap()), Ok(1));
    assert_eq!(size(Layout::range(1 << 31, 1 << 40).unwrap()), Err(LayoutError::NotSigned { first: 1 << 31 }));
    assert_eq!(size(Layout::tidb(1_023).unwrap()), Ok(1_048_575 + 1_073_741_823));
    assert_eq!(size(Layout::tidb64(4_194_303).unwrap()), Ok(1_073_741_823));
    assert_eq!(
        size(Layout::tidb(1_024).unwrap()).unwrap_err().to_string(),
        "TiDB's layout of 32 bits with bit 31 clear has room for the server ids 1 to 1023, not for 1024"
    );
    for layout in [Layout::oceanbase(1).unwrap(), Layout::oceanbase_older(1).unwrap()] {
        assert_eq!(size(layout), Err(LayoutError::MarksServer));
    }
    assert!(LayoutError::MarksServer.to_string().contains("a server made it"));
}

/// `KILL 407` is meant for one of the first two, and nobody knows for which.
#[test]
fn the_ids_of_tidbs_documents_on_their_servers() {
    let (one, other) = (Layout::tidb64(2_663_502).unwrap(), Layout::tidb64(3_777_336).unwrap());
    for (id, own, others) in [
        (5_857_102_839_209_263_511, Reading::Ours, Reading::OfServer(2_663_502)),
        (8_306_449_708_033_769_879, Reading::OfServer(3_777_336), Reading::Ours),
        (407, Reading::Truncated, Reading::Truncated),
        (408, Reading::Nobodys, Reading::Nobodys),
    ] {
        assert_eq!((one.read(id), other.read(id)), (own, others), "{id}");
    }
    assert_eq!(one.decode(SessionId::new(5_857_102_839_209_263_511)), Some(local(Pool::Main, 203)));
    assert_eq!(other.decode(SessionId::new(8_306_449_708_033_769_879)), Some(local(Pool::Main, 203)));
    assert_eq!(one.decode(SessionId::new(407)), None);
}

#[test]
fn tidbs_reserved_ids_are_the_servers_and_not_given_out() {
    for layout in [Layout::tidb(1).unwrap(), Layout::tidb64(1).unwrap()] {
        for (id, given_out) in [(0x3FF_FFFF_FE6F_u64, true), (0x3FF_FFFF_FE71, false), (0x3FF_FFFF_FFFF, false)] {
            assert_eq!(layout.read(id), Reading::Ours);
            assert_eq!(layout.decode(SessionId::new(id)).is_some(), given_out);
        }
    }
}

/// They are in its name, as another process with the same server id may have had them; but none of them is live.
#[test]
fn a_server_of_64_bits_does_not_give_out_ids_of_32() {
    let layout = Layout::tidb64(1).unwrap();
    assert_eq!(layout.read(0x20_0002), Reading::Ours);
    assert_eq!(layout.decode(SessionId::new(0x20_0002)), None);
}

/// CONNECTION_ID() says another number than the greeting, and both are found.
#[test]
fn a_proxys_session_has_two_ids_and_no_others_has() {
    let odp = Layout::odp(3).unwrap();
    let id = odp.encode(local(Pool::Main, 19));
    assert_eq!((id.get(), odp.connection_id(id).get()), (0x0180_0013, 0x8180_0013));
    assert_eq!(odp.decode(odp.connection_id(id)), Some(local(Pool::Main, 19)));
    assert_eq!(odp.read(0x8200_0013), Reading::OfServer(4));
    for layout in [Layout::plain32(), Layout::oceanbase(3).unwrap(), Layout::tidb(3).unwrap()] {
        let id = layout.encode(local(Pool::Main, 19));
        assert_eq!(layout.connection_id(id), id);
    }
}
